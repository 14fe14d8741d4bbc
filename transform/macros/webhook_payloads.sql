{#- The resource that the JSON of a payload is about, whichever envelope it came in; null where there is none.

    The resource itself, `{eventType, ...resource}`, `{eventType, payload}` or `{event: {type, payload}}`. -#}
{% macro payload_resource(body) -%}
    case
        when json_type({{ body }}, '$.event.payload') = 'OBJECT' then {{ body }} -> '$.event.payload'
        when json_type({{ body }}, '$.payload') = 'OBJECT' then {{ body }} -> '$.payload'
        when json_type({{ body }}) = 'OBJECT' then {{ body }}
    end
{%- endmacro %}
