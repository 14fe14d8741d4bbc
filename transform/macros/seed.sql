{#- Seeds as people leave them: rows that end early or are too long, columns in another order, mixed line ends, a mark of the
    byte order. dbt's own way refuses the whole file when one row is odd. Each line is a row; what is wrong with it is for
    the models to say. A heading that lacks columns stops dbt: to go on without the file would take back what it decides.

    The project declares the columns of the file, and may declare besides: `line`, `line_text`, and `line_problem`, which
    says why the values of a row cannot be told apart. -#}
{% materialization seed, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set heading = seed_heading() -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement('main') -%}
        create or replace table {{ target }} as
        {{ seed_table(heading) }}
    {%- endcall -%}
    {#- what `dbt seed --show` prints -#}
    {%- do store_result('agate_table', response='OK', agate_table=run_query('select * from ' ~ target)) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{#- The names in the heading of the seed's file. -#}
{% macro seed_heading() -%}
    {%- set known = ['line', 'line_text', 'line_problem'] -%}
    {%- set declared = model.columns.keys() | reject('in', known) | list -%}
    {%- set heading = [] -%}
    {%- for row in run_query(
        'select lower(trim(unnest(quoted))) from (' ~ seed_lines() ~ ') where line = 1'
    ) -%}
        {%- do heading.append(row[0].strip('"') | trim) -%}
    {%- endfor -%}
    {%- set missing = declared | reject('in', heading) | list -%}
    {%- if missing -%}
        {%- do exceptions.raise_compiler_error(
            model.original_file_path ~ ', line 1: the heading lacks ' ~ missing | join(', ')
            ~ '; it is ' ~ declared | join(',') ~ ', with commas.'
        ) -%}
    {%- endif -%}
    {{ return(heading) }}
{%- endmacro %}


{#- The rows of the seed's file by the names of its heading. Lines without any value are none. -#}
{% macro seed_table(heading) -%}
    {%- set columns = [] -%}
    {%- for column in heading -%}
        {%- if column -%}
            {%- set type = config.get('column_types', {}).get(column, 'varchar') -%}
            {%- do columns.append('cast(values[' ~ loop.index ~ '] as ' ~ type ~ ') as ' ~ adapter.quote(column)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if 'line' in model.columns -%}
        {%- do columns.extend(['line', 'line_text', line_problem(heading | length) ~ ' as line_problem']) -%}
    {%- endif -%}
    select {{ columns | join(', ') }}
    from (
        select
            line,
            line_text,
            quoted,
            list_transform(
                quoted,
                lambda x: nullif(
                    case
                        when starts_with(trim(x), '"') and not {{ is_unclosed_value('x') }}
                            then replace(trim(x)[2:-2], '""', '"')
                        else x
                    end,
                    ''
                )
            ) as values
        from ({{ seed_lines() }})
    )
    where
        line > 1
        and len(list_filter(values, lambda x: {{ clean_text('x') }} is not null)) > 0
    order by line
{%- endmacro %}


{#- Why the values of a row cannot be told apart. -#}
{% macro line_problem(width) -%}
    case
        when len(list_filter(quoted, lambda x: {{ is_unclosed_value('x') }})) > 0
            then 'A quotation mark is not closed, or text stands beside what is in quotation marks.'
        -- also an empty one: the values before it may have moved
        when len(quoted) > {{ width }}
            then 'The row has more values than the heading; a text with commas belongs in quotation marks.'
    end
{%- endmacro %}


{#- The lines of the seed's file, and what stands between their commas, quotation marks included. -#}
{% macro seed_lines() -%}
    select
        line,
        line_text,
        regexp_extract_all(line_text || ',', '(\s*"(?:[^"]|"")*"\s*|[^,]*),', 1) as quoted
    from (
        select
            unnest(texts) as line_text,
            generate_subscripts(texts, 1) as line
        from (
            select regexp_split_to_array(ltrim(content, chr(65279)), '\r\n|\r|\n') as texts
            from read_text('{{ adapter.get_seed_file_path(model) | replace("'", "''") }}')
        )
    )
{%- endmacro %}


{% macro is_unclosed_value(value) -%}
    (starts_with(trim({{ value }}), '"') and not regexp_full_match({{ value }}, '\s*"(?:[^"]|"")*"\s*'))
{%- endmacro %}
