{#- Text without outer space of any kind; empty text is null. `trim` alone knows only the plain blank. -#}
{% macro clean_text(expression) -%}
    nullif(trim({{ expression }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8203) || chr(65279)), '')
{%- endmacro %}


{#- Text as it is compared: without outer space and case. -#}
{% macro fold_text(expression) -%}
    lower({{ clean_text(expression) }})
{%- endmacro %}


{#- A name as it is compared: as text, and inner spaces are one. -#}
{% macro fold_name(expression) -%}
    regexp_replace({{ fold_text(expression) }}, '\s+', ' ', 'g')
{%- endmacro %}


{#- A label as it is compared: without case and spaces of any kind. -#}
{% macro fold_label(expression) -%}
    regexp_replace(lower({{ expression }}), '[\s\p{Z}]+', '', 'g')
{%- endmacro %}


{#- Whether a text is one of the values of a setting, without case and outer space. Null is not. -#}
{% macro is_in_setting(expression, setting) -%}
    {%- set values = [] -%}
    {%- for value in var(setting) -%}
        {%- do values.append("'" ~ (value | string | trim | lower | replace("'", "''")) ~ "'") -%}
    {%- endfor -%}
    {%- if values -%}
        coalesce({{ fold_text(expression) }} in ({{ values | join(', ') }}), false)
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}


{#- Whether CRM+ names Raise as where a contact came from. -#}
{% macro is_raise_reference_source(expression) -%}
    {{ is_in_setting(expression, 'raise_reference_sources') }}
{%- endmacro %}


{#- Whether CRM+ names Raise as where a gift or a schedule came from. -#}
{% macro is_raise_transaction_source(expression) -%}
    {{ is_in_setting(expression, 'raise_transaction_sources') }}
{%- endmacro %}


{#- An instant as it stands in a sentence. -#}
{% macro instant_text(expression) -%}
    strftime({{ expression }}, '%Y-%m-%d %H:%M UTC')
{%- endmacro %}
