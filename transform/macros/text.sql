{#- The spaces that come around texts, for a regular expression: some have no width. -#}
{% macro outer_space() -%}
    [ \t\n\r\x{a0}\x{200b}\x{feff}]
{%- endmacro %}


{#- Text without outer space; empty text is null. (`trim` with these characters takes twice the time.) -#}
{% macro clean_text(expression) -%}
    nullif(regexp_replace({{ expression }}, '^{{ outer_space() }}+|{{ outer_space() }}+$', '', 'g'), '')
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
