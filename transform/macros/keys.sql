{#- The positive integer that a foreign key in text form stands for; null when it stands for none.

    Outer space, a leading `+`, leading zeros and a trailing `.0` do not make it another integer. Zero, a sign, any other
    character, and a number that no id of CRM+ can be (it overflows BIGINT) make it no key at all: the caller decides
    what that means. -#}
{% macro integer_key(expression) -%}
    try_cast(
        regexp_extract({{ expression }}, '^{{ outer_space() }}*\+?0*([1-9][0-9]{0,18})(\.0+)?{{ outer_space() }}*$', 1)
        as bigint
    )
{%- endmacro %}


{#- Whether a key may be that of a record without id, of which no more is known than where it stands (null: no bound). -#}
{% macro may_stand_in_gap(key, gap) -%}
    coalesce({{ key }} > {{ gap }}.above_key, true)
    and coalesce({{ key }} < {{ gap }}.below_key, true)
{%- endmacro %}
