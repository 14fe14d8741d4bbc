{#- Money from a text that was formatted for people, in the U.S. way: `$1,200.00`, `(12.50)`, `-$3`, `5 USD`.

    What is no number, or one in another way (`1.200,00`), is null, never zero and never a part of the number. -#}
{% macro money_from_text(expression) -%}
    {#- most texts are plain numbers, or have a dollar sign before one -#}
    {%- set plain -%}
        try_cast(
            case
                when regexp_full_match({{ expression }}, '\$?-?[0-9]+(\.[0-9]+)?') then replace({{ expression }}, '$', '')
            end
            as decimal(18, 2)
        )
    {%- endset -%}
    {#- DuckDB takes out what stands in a query twice and computes it for every row: only a case keeps it from that.
        As minus a typographic sign is meant too, and an en dash that stands for it. -#}
    {%- set other = "case when " ~ plain ~ " is null then " ~ expression ~ " end" -%}
    {%- set text = "translate(" ~ clean_text(other) ~ ", '−–', '--')" -%}
    coalesce(
        {{ plain }},
        try_cast({{ text }} as decimal(18, 2)),
        try_cast(
            case
                when
                    regexp_full_match(
                        {{ text }},
                        '[(-]?\s*[^0-9.,()\s-]{0,4}\s*-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?\)?\s*([A-Z]{3})?'
                    )
                    then
                        case when regexp_matches({{ text }}, '[(-]') then '-' else '' end
                        || regexp_replace({{ text }}, '[^0-9.]', '', 'g')
            end
            as decimal(18, 2)
        )
    )
{%- endmacro %}

{#- An amount of which another one can be taken: DuckDB gives the difference of two of 18 digits 18 digits too, and ends
    the build where that is not enough (1.5.5, 2026-11-30). -#}
{% macro wide(amount) -%}
    cast({{ amount }} as decimal(38, 2))
{%- endmacro %}
