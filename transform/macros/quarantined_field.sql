{#- The field that could not be read, by one name: it may stand in either spelling and with a path behind it
    (`contactReferences[0].id`, `contact_references`). -#}
{% macro quarantined_field(expression) -%}
    lower(replace(regexp_extract({{ clean_text(expression) }}, '^[A-Za-z_]+'), '_', ''))
{%- endmacro %}
