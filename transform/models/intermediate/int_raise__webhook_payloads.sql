-- What payloads say of themselves: each is parsed once, when it arrives. The text stays in the raw table.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'webhook_log_id'],
    on_schema_change='append_new_columns'
) }}
with time_zones as (
    select
        organization,
        any_value(time_zone) as time_zone
    from {{ ref('stg_raise__connections') }}
    group by organization
),

payloads as (
    select
        organization,
        webhook_log_id,
        outcome,
        {{ clean_text('payload') }} as payload,
        load_id
    from {{ ref('stg_raise__webhook_log_payloads') }}
    {% if is_incremental() -%}
        where load_id not in (select distinct built.load_id from {{ this }} as built)
    {%- endif %}
),

parsed as (
    select
        *,
        try_cast(payload as json) as body
    from payloads
),

-- JSON that was put into a JSON text once more
unwrapped as (
    select
        * exclude (body),
        case when json_type(body) = 'VARCHAR' then try_cast(body ->> '$' as json) else body end as body
    from parsed
),

opened as (
    select
        * exclude (body),
        {{ payload_resource('body') }} as resource,
        coalesce(body ->> '$.eventType', body ->> '$.event.type') as event_type_text
    from unwrapped
)

select
    opened.organization,
    opened.webhook_log_id,
    case
        when opened.outcome != 'read' then opened.outcome
        when opened.payload is null then 'empty'
        when opened.resource is null then 'unreadable'
        else 'readable'
    end as payload_state,
    {{ clean_text("opened.resource ->> '$.id'") }} as resource_id,
    try_cast(opened.event_type_text as bigint) as payload_event_type,
    {{ instant_from_text(
        "coalesce(opened.resource ->> '$.modifiedDate', opened.resource ->> '$.modifiedDateTime')",
        "coalesce(time_zones.time_zone, 'UTC')"
    ) }} as modified_at,
    case
        when opened.resource is not null
            then coalesce({{ clean_text("opened.resource ->> '$.recurringGiftId'") }}, '0') != '0'
    end as has_recurring_gift,
    try_cast({{ clean_text("opened.resource ->> '$.canSync'") }} as boolean) as can_sync,
    opened.load_id
from opened
left join time_zones on opened.organization = time_zones.organization
