{#- Money from a text that was formatted for people: `$1,200.00`, `(12.50)`, `-$3`, `1.200,00 €`.

    A text in which the last separator is a comma before two digits is read the continental way. What is no number is
    null, never zero. -#}
{% macro money_from_text(expression) -%}
    {%- set digits = "regexp_replace(" ~ expression ~ ", '[^0-9.,]', '', 'g')" -%}
    try_cast(
        case when regexp_matches({{ expression }}, '^\s*(\(|[^0-9]*-)') then '-' else '' end
        || case
            when regexp_matches({{ digits }}, '^[0-9.]*,[0-9]{2}$')
                then replace(replace({{ digits }}, '.', ''), ',', '.')
            else replace({{ digits }}, ',', '')
        end
        as decimal(18, 2)
    )
{%- endmacro %}
