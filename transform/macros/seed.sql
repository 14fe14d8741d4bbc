{#- Seeds as people leave them: rows that end early or are too long, columns in another order, mixed line ends, a mark of the
    byte order. dbt's own way refuses the whole file when one row is odd, and a reader of CSV takes all that follows an open
    quotation mark for one value.

    The project declares the columns of the file. Where it declares `line`, `line_text` and `line_problem` besides, an odd
    row is for the models to tell; else it stops dbt. So does a heading that lacks columns: to go on without the file would
    take back what it decides. -#}
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


{#- The names in the heading of the seed's file, none where the column has another use. -#}
{% macro seed_heading() -%}
    {%- set known = ['line', 'line_text', 'line_problem'] -%}
    {%- set declared = model.columns.keys() | reject('in', known) | list -%}
    {%- set heading = [] -%}
    {%- for row in run_query('select unnest(quoted) from (' ~ seed_lines() ~ ') where line = 1') -%}
        {%- set name = row[0] | replace('"', '') | trim | lower -%}
        {%- if name in heading and name in declared -%}
            {%- do exceptions.raise_compiler_error(
                model.original_file_path ~ ', line 1: two columns are named ' ~ name ~ '.'
            ) -%}
        {%- endif -%}
        {%- do heading.append('' if name in known or name in heading else name) -%}
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
        {%- do columns.extend(['line', 'line_text', 'line_problem']) -%}
    {%- else -%}
        {#- nobody reads what is wrong with a row of the project's own -#}
        {%- for row in run_query(
            'select line, line_problem from (' ~ seed_values(heading) ~ ') where line_problem is not null order by line limit 1'
        ) -%}
            {%- do exceptions.raise_compiler_error(model.original_file_path ~ ', line ' ~ row[0] ~ ': ' ~ row[1]) -%}
        {%- endfor -%}
    {%- endif -%}
    select {{ columns | join(', ') }}
    from ({{ seed_values(heading) }})
    order by line
{%- endmacro %}


{#- The values of each row, and why they cannot be told apart. -#}
{% macro seed_values(heading) -%}
    select
        line,
        line_text,
        list_transform(
            quoted,
            lambda x: nullif(
                case
                    when {{ is_quoted('x') }} then replace(regexp_extract(x, '"(.*)"', 1, 's'), '""', '"')
                    else x
                end,
                ''
            )
        ) as values,
        case
            when len(list_filter(quoted, lambda x: regexp_matches(x, '^[ \t]*"') and not {{ is_quoted('x') }})) > 0
                then 'A quotation mark is not closed, or text stands beside what is in quotation marks.'
            -- also an empty one: the values before it may have moved
            when len(quoted) > {{ heading | length }}
                then 'The row has more values than the heading; a text with commas belongs in quotation marks.'
        end as line_problem
    from ({{ seed_lines() }})
    where
        line > 1
        and len(list_filter(quoted, lambda x: {{ clean_text('x') }} is not null)) > 0
{%- endmacro %}


{#- A value in quotation marks, for a regular expression: one within it is written twice. -#}
{% macro quoted_value() -%}
    [ \t]*"(?:[^"]|"")*"[ \t]*
{%- endmacro %}


{% macro is_quoted(value) -%}
    regexp_full_match({{ value }}, '{{ quoted_value() }}')
{%- endmacro %}


{#- The lines of the seed's file, and what stands between their commas, quotation marks included. What is in quotation marks
    may go over several lines: the first one counts. -#}
{% macro seed_lines() -%}
    {%- set value = '(' ~ quoted_value() ~ '|[^,\\r\\n]*)' -%}
    {%- set end = '(\\r\\n|\\r|\\n)' -%}
    select
        cast(line as bigint) as line,
        regexp_replace(line_text, '{{ end }}$', '') as line_text,
        regexp_extract_all(regexp_replace(line_text, '{{ end }}$', ','), '{{ value }},', 1) as quoted
    from (
        select
            line_text,
            1 + coalesce(
                sum(len(regexp_extract_all(line_text, '{{ end }}')))
                    over (order by position rows between unbounded preceding and 1 preceding),
                0
            ) as line
        from (
            select
                unnest(texts) as line_text,
                generate_subscripts(texts, 1) as position
            from (
                select
                    regexp_extract_all(
                        ltrim(content, chr(65279)) || chr(10), '{{ value }}(?:,{{ value }})*{{ end }}'
                    ) as texts
                from read_text('{{ adapter.get_seed_file_path(model) | replace("'", "''") }}')
            )
        )
    )
{%- endmacro %}
