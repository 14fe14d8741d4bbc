{#- A table whose rows are left alone as long as they stay the same: a build computes them all, writes only those that are
    new or different, and takes out those that no longer come. To write a million wide rows down takes several times as
    long as to compute and compare them (DuckDB 1.5.5, 2026-11-27: each text seventy billionths of a second).

    It needs no mark of what has changed: rows are the same when a hash of 64 bits over all their columns is. Each row is one
    that comes once, which a test has to hold: where one stands twice, only a full refresh takes it out, and one that stands
    and comes twice counts once. Other columns or constraints than those that stand make it anew.

    Columns that are `restated`, in the `meta` of the model, are no part of what is compared: a hook of the model brings them
    up to date in the rows that stay. To write one column takes a fifth of the time that the rows take. DuckDB writes along
    with it what check constraints of several columns read, and the whole rows where that is a list: no check may read one.

    dbt knows of its own materializations only that they enforce the constraints of a contract, and warns unless the
    constraint says `warn_unsupported: false`. -#}
{% materialization maintained_table, adapter='duckdb' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if should_full_refresh() or existing is none or not existing.is_table or not stands_as_declared(existing, sql) -%}
        {{ return(materialization_table_duckdb()) }}
    {%- endif -%}

    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ apply_difference(target, sql, config.meta_get('restated', [])) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}


{#- Whether a table has the columns and constraints that it would have if it were made anew. -#}
{% macro stands_as_declared(existing, sql) -%}
    {%- set anew = adapter.quote(existing.identifier ~ '__anew') -%}
    {%- call statement('made_anew') -%}
        create or replace temporary table {{ anew }}
        {% if config.get('contract').enforced -%}
            {{ get_table_columns_and_constraints() }}
        {%- else -%}
            as select * from (
                {{ sql }}
            ) limit 0
        {%- endif %}
    {%- endcall -%}
    {%- set declared = shape('temp', 'main', existing.identifier ~ '__anew') -%}
    {%- do run_query('drop table ' ~ anew) -%}
    {{ return(shape(existing.database, existing.schema, existing.identifier) == declared) }}
{%- endmacro %}


{#- The columns of a table in their order, with their types, and its constraints. -#}
{% macro shape(database, schema, identifier) -%}
    {%- call statement('shape', fetch_result=True) -%}
        select
            column_index as position,
            column_name as part,
            data_type as is_what
        from duckdb_columns()
        where database_name = '{{ database }}' and schema_name = '{{ schema }}' and table_name = '{{ identifier }}'
        union all
        select
            null,
            constraint_text,
            array_to_string(constraint_column_names, ', ')
        from duckdb_constraints()
        where database_name = '{{ database }}' and schema_name = '{{ schema }}' and table_name = '{{ identifier }}'
        order by all
    {%- endcall -%}
    {{ return(load_result('shape')['data']) }}
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


{#- The statements that make a table hold the rows of a query, but for restated columns of rows that stay. -#}
{% macro apply_difference(target, sql, restated) -%}
    {%- set standing = adapter.get_columns_in_relation(target) -%}
    {%- set columns = standing | map(attribute='quoted') | join(', ') -%}
    {%- set hashed = row_hash(standing | rejectattr('name', 'in', restated) | list) -%}
    {%- set difference = adapter.quote(target.identifier ~ '__difference') -%}
    create or replace temporary table {{ difference }} as
    select
        fresh.*,
        standing.row_id
    from (
        select
            {{ columns }},
            {{ hashed }} as row_hash
        from (
            {{ sql }}
        )
    ) as fresh
    full join (
        select
            rowid as row_id,
            {{ hashed }} as row_hash
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
