{#- The rows of a seed that people edit, as clean text. -#}
{% macro seed_rows(seed, columns) -%}
    {%- set cleaned = [] -%}
    {%- for column in columns -%}
        {%- do cleaned.append(clean_text(column) ~ ' as ' ~ column) -%}
    {%- endfor -%}
    select
        line,
        line_text,
        line_problem,
        {{ cleaned | join(', ') }}
    from {{ ref(seed) }}
{%- endmacro %}


{#- What is wrong with a row that says what a usable row above says already: only the first counts. -#}
{% macro seed_row_repeats(key, problem) -%}
    case when line > min(line) filter (where problem is null) over (partition by {{ key | join(', ') }}) then '{{ problem }}' end
{%- endmacro %}
