{#- Names of the members in which integrations wrap a record, besides the name of its own kind. -#}
{% macro envelope_names() -%}
    ['data', 'object', 'payload', 'event', 'body', 'record', 'resource', 'entity']
{%- endmacro %}


{#- What integrations call a record of a kind, by the family of its event type: in labels, and as a payload's member. -#}
{% macro record_names_by_family() -%}
    map {
        'Gift': ['gift', 'donation'],
        'RecurringGift': ['recurringgift', 'recurringdonation', 'schedule', 'subscription'],
        'Donor': ['donor', 'contact', 'supporter'],
        'Campaign': ['campaign'],
        'Page': ['page', 'form', 'donationform', 'givingpage', 'donationpage']
    }
{%- endmacro %}


{% macro record_names(family) -%}
    {{ record_names_by_family() }}[{{ family }}]
{%- endmacro %}


{#- JSON with what was written into a JSON text once more taken out of it; null for all but an object. -#}
{% macro json_object(json) -%}
    case json_type({{ json }})
        when 'OBJECT' then {{ json }}
        when 'VARCHAR'
            then case
                when json_type(try_cast({{ json }} ->> '$' as json)) = 'OBJECT' then try_cast({{ json }} ->> '$' as json)
            end
    end
{%- endmacro %}


{#- An id as it is compared: digits are that integer. -#}
{% macro record_key(text) -%}
    coalesce(cast({{ integer_key(text) }} as varchar), {{ clean_text(text) }})
{%- endmacro %}


{#- Whether an entry of the delivery log is about a campaign: by the tens of its event type, or by what the log calls it. -#}
{% macro is_about_campaign(event_type, label) -%}
    (coalesce({{ event_type }} // 10 = 4, false) or coalesce({{ label }} ilike '%campaign%', false))
{%- endmacro %}


{#- Whether an incremental model adds to what it built before. One that an earlier version built, without this column, is
    built anew in place. -#}
{% macro adds_to(column) -%}
    {#- sqlfluff knows no adapter -#}
    {%- set columns = adapter.get_columns_in_relation(this) if is_incremental() and adapter is defined else [] -%}
    {{ return(column in (columns | map(attribute='name') | list)) }}
{%- endmacro %}
