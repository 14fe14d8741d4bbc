{#- Whether a word says that a delivery succeeded; null for a word that nobody knows. -#}
{% macro delivery_succeeded(expression) -%}
    case
        when
            {{ fold_text(expression) }} in ('true', '1', 'yes', 'success', 'succeeded', 'successful', 'ok', 'delivered')
            then true
        when {{ fold_text(expression) }} in ('false', '0', 'no', 'failure', 'failed', 'unsuccessful', 'error') then false
    end
{%- endmacro %}


{#- The HTTP status in a text that may go on behind it (`500 Internal Server Error`), or name it as .NET does (`OK`). -#}
{% macro http_status_from_text(expression) -%}
    {%- set names = {
        'ok': 200,
        'created': 201,
        'accepted': 202,
        'nocontent': 204,
        'badrequest': 400,
        'unauthorized': 401,
        'forbidden': 403,
        'notfound': 404,
        'methodnotallowed': 405,
        'requesttimeout': 408,
        'gone': 410,
        'toomanyrequests': 429,
        'internalservererror': 500,
        'badgateway': 502,
        'serviceunavailable': 503,
        'gatewaytimeout': 504,
    } -%}
    {%- set branches = [] -%}
    {%- for name, status in names.items() -%}
        {%- do branches.append("when '" ~ name ~ "' then " ~ status) -%}
    {%- endfor -%}
    coalesce(
        try_cast(regexp_extract({{ clean_text(expression) }}, '^([0-9]{3})([^0-9]|$)', 1) as integer),
        case {{ fold_label(expression) }} {{ branches | join(' ') }} end
    )
{%- endmacro %}
