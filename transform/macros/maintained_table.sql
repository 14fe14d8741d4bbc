{#- A table whose rows are left alone as long as they stay the same: a build computes them all, writes only those that are
    new or different, and takes out those that no longer come. To write a million wide rows down takes several times as
    long as to compute and compare them (DuckDB 1.5.5, 2026-11-27: each text seventy billionths of a second).

    It needs no mark of what has changed: rows are the same when a hash of 64 bits over all their columns is. Each row is one
    that comes once, which a test has to hold: where one stands twice, only a full refresh takes it out. Other columns or
    constraints than those that stand make it anew.

    dbt knows of its own materializations only that they enforce the constraints of a contract, and warns unless the
    constraint says `warn_unsupported: false`. -#}
{% materialization maintained_table, adapter='duckdb' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if should_full_refresh() or existing is none or not existing.is_table
        or described_columns(existing) != described_columns('(' ~ sql ~ '\n)', declared_never_null()) -%}
        {{ return(materialization_table_duckdb()) }}
    {%- endif -%}

    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ apply_difference(target, sql) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}


{#- The columns of a relation, or of a query in brackets, with their types, and whether they are never null. -#}
{% macro described_columns(relation, never_null=[]) -%}
    {%- set columns = [] -%}
    {%- for row in run_query('select column_name, column_type, "null" from (describe ' ~ relation ~ ') order by all') -%}
        {%- do columns.append((row[0], row[1], row[2] == 'NO' or row[0] in never_null)) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}


{#- The columns that the contract of the model wants never to be null. -#}
{% macro declared_never_null() -%}
    {%- set names = [] -%}
    {%- for column in model.columns.values() if config.get('contract').enforced -%}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- do names.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}


{#- The hash of a row. No list has the hash of an empty one, so whether there is one is told besides. -#}
{% macro row_hash(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append(column.quoted) -%}
        {%- if column.dtype.endswith('[]') -%}
            {%- do parts.append(column.quoted ~ ' is null') -%}
        {%- endif -%}
    {%- endfor -%}
    hash({{ parts | join(', ') }})
{%- endmacro %}


{#- The statements that make a table hold the rows of a query. -#}
{% macro apply_difference(target, sql) -%}
    {%- set standing = adapter.get_columns_in_relation(target) -%}
    {%- set columns = standing | map(attribute='quoted') | join(', ') -%}
    {%- set difference = adapter.quote(target.identifier ~ '__difference') -%}
    create or replace temporary table {{ difference }} as
    select
        fresh.*,
        standing.row_id
    from (
        select
            {{ columns }},
            {{ row_hash(standing) }} as row_hash
        from (
            {{ sql }}
        )
    ) as fresh
    full join (
        select
            rowid as row_id,
            {{ row_hash(standing) }} as row_hash
        from {{ target }}
    ) as standing on fresh.row_hash = standing.row_hash
    where fresh.row_hash is null or standing.row_hash is null;

    delete from {{ target }}
    where rowid in (select row_id from {{ difference }} where row_id is not null);

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ difference }}
    where row_id is null;

    drop table {{ difference }}
{%- endmacro %}
