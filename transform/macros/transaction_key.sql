{#- The transaction id of a CRM+ record as it is compared with Raise: folded, without the prefix that Raise puts before. -#}
{% macro transaction_key(expression) -%}
    nullif(regexp_replace({{ fold_text(expression) }}, '^(rd2-|rd-|raise-)', ''), '')
{%- endmacro %}


{#- The same without the number of the part, which a gift to several projects carries behind it (`-1`, `-2`). -#}
{% macro transaction_key_without_part(expression) -%}
    nullif(regexp_replace({{ transaction_key(expression) }}, '-[0-9]+$', ''), '')
{%- endmacro %}


{#- The Raise id that a transaction id stands for; null when it stands for none. -#}
{% macro transaction_raise_id(expression) -%}
    {{ integer_key(transaction_key_without_part(expression)) }}
{%- endmacro %}


{#- Columns of a Raise gift by the names that the setting `transaction_id_fields` uses. -#}
{% macro transaction_id_columns() -%}
    {%- set known = {'id': 'gift_id', 'donationid': 'donation_id', 'transactionid': 'transaction_id'} -%}
    {%- set columns = [] -%}
    {%- for field in var('transaction_id_fields') -%}
        {%- set column = known.get(field | string | trim | lower | replace('_', '')) -%}
        {%- if execute and column is none -%}
            {%- do exceptions.raise_compiler_error(
                "transaction_id_fields: '" ~ field ~ "' is not one of id, donationId, transactionId"
            ) -%}
        {%- endif -%}
        {%- do columns.append(column) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}


{#- What a transaction id looks like: words as they are, runs of digits as `9`, letters and digits mixed as `#`. -#}
{% macro transaction_shape(expression) -%}
    regexp_replace(
        regexp_replace({{ expression }}, '[\p{L}0-9]*(\p{L}[0-9]|[0-9]\p{L})[\p{L}0-9]*', '#', 'g'), '[0-9]+', '9', 'g'
    )
{%- endmacro %}
