{#- How the transaction id of a CRM+ record is compared with Raise, step by step. Each step is given the column of the one
    before, so that nothing is computed twice; to see that there is nothing to take off takes a tenth of the time of a
    regular expression. -#}


{#- Of the folded text: without the prefix that Raise puts before. -#}
{% macro transaction_key(text) -%}
    case
        when starts_with({{ text }}, 'r') then nullif(regexp_replace({{ text }}, '^(rd2-|rd-|raise-)', ''), '')
        else {{ text }}
    end
{%- endmacro %}


{#- Of the key: without the number of the part, which a gift to several projects carries behind it (`-1`, `-2`). -#}
{% macro transaction_key_without_part(key) -%}
    case
        when contains({{ key }}, '-') then nullif(regexp_replace({{ key }}, '-[0-9]+$', ''), '')
        else {{ key }}
    end
{%- endmacro %}


{#- The Raise id that a transaction id stands for, all steps at once; null when it stands for none. For few rows. -#}
{% macro transaction_raise_id(expression) -%}
    {{ integer_key(transaction_key_without_part(transaction_key(fold_text(expression)))) }}
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
