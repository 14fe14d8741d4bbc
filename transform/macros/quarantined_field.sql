{#- The field that could not be read, by one name: it may stand in either spelling and with a path behind it
    (`contactReferences[0].id`, `contact_references`). -#}
{% macro quarantined_field(expression) -%}
    lower(replace(regexp_extract({{ clean_text(expression) }}, '^[A-Za-z_]+'), '_', ''))
{%- endmacro %}

{#- Whether what stands in quarantine could not be read: amounts and rates with more decimals than are kept are there too,
    and their columns hold what they were rounded to. -#}
{% macro is_value_unknown(error) -%}
    not starts_with(coalesce({{ error }}, ''), 'rounded to')
{%- endmacro %}
