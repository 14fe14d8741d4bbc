{#- The rows of a seed that people edit, with the line that each stands on and its text. -#}
{% macro seed_rows(seed, columns) -%}
    select
        {{ seed_line() }} as line,
        concat_ws(',', {% for column in columns %}coalesce({{ column }}, ''){% if not loop.last %}, {% endif %}{% endfor %}) as line_text,
        {%- for column in columns %}
        {{ clean_text(column) }} as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
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
