{#- The rows of a seed that people edit, with the line that each stands on and its text. -#}
{% macro seed_rows(seed, columns) -%}
    {%- set texts = [] -%}
    {%- set cleaned = [] -%}
    {%- for column in columns -%}
        {%- do texts.append("coalesce(" ~ column ~ ", '')") -%}
        {%- do cleaned.append(clean_text(column) ~ " as " ~ column) -%}
    {%- endfor -%}
    select
        {{ seed_line() }} as line,
        concat_ws(',', {{ texts | join(', ') }}) as line_text,
        {{ cleaned | join(', ') }}
    from {{ ref(seed) }}
    where coalesce({{ columns | join(', ') }}) is not null
{%- endmacro %}


{#- The line of a row: below the heading, rows stand in the table as they stood in the file. -#}
{% macro seed_line() -%}
    rowid + 2
{%- endmacro %}


{#- What is wrong with a row that says what a usable row above says already: only the first counts. -#}
{% macro seed_row_repeats(key, problem) -%}
    case when line > min(line) filter (where problem is null) over (partition by {{ key | join(', ') }}) then '{{ problem }}' end
{%- endmacro %}
