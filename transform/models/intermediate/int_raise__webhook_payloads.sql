-- What payloads say of themselves: each is parsed once, when it arrives. The text stays in the raw table.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'webhook_log_id'],
    on_schema_change='append_new_columns'
) }}
{%- set deepest = 3 %}
with time_zones as (
    select
        organization,
        any_value(time_zone) as time_zone
    from {{ ref('stg_raise__connections') }}
    group by organization
),

families as (
    select
        event_type,
        resource_family
    from {{ ref('event_types') }}
),

payloads as (
    select
        organization,
        webhook_log_id,
        outcome,
        {{ clean_text('payload') }} as payload,
        load_id
    from {{ ref('stg_raise__webhook_log_payloads') }}
    {% if adds_to('body_hash') -%}
        where load_id not in (select distinct built.load_id from {{ this }} as built)
    {%- endif %}
),

parsed as (
    select
        payloads.*,
        {{ record_key('logs.context_id') }} as record_key,
        families.resource_family,
        try_cast(payloads.payload as json) as body
    from payloads
    left join {{ ref('stg_raise__webhook_logs') }} as logs
        on
            payloads.organization = logs.organization
            and payloads.webhook_log_id = logs.webhook_log_id
    left join families on logs.event_type = families.event_type
),

opened as (
    select
        * exclude (body),
        {{ json_object('body') }} as body
    from parsed
),

bodies as (
    select
        organization,
        webhook_log_id,
        record_key,
        resource_family,
        body as node,
        {{ record_key("body ->> '$.id'") }} = record_key as is_record,
        0 as depth,
        0 as detour,
        '' as path
    from opened
    where body is not null and record_key is not null
),

-- What is looked into: what is not the record, and a body that has its id and wraps something all the same.
{% for depth in range(1, deepest + 1) -%}
    {%- set above = 'bodies' if depth == 1 else 'members_' ~ (depth - 1) -%}
    named_members_{{ depth }} as (
        select
            above.* exclude (above.node, above.is_record, above.depth, above.detour, above.path),
            lower(member.key) as name,
            {{ json_object('member.value') }} as node,
            above.detour,
            above.path || '.' || member.key as path
        from {{ above }} as above, json_each(above.node) as member
        where
            member.type in ('OBJECT', 'VARCHAR')
            and (
                not coalesce(above.is_record, false)
                {% if depth == 1 -%}
                    or list_has_any(
                        list_transform(json_keys(above.node), lambda x: lower(x)), -- noqa: RF02
                        list_concat({{ envelope_names() }}, {{ record_names('above.resource_family') }})
                    )
                {%- endif %}
            )
    ),

    members_{{ depth }} as (
        select
            * exclude (name, detour),
            {{ record_key("node ->> '$.id'") }} = record_key as is_record,
            {{ depth }} as depth,
            -- an envelope, a name that is no known one, the name of another kind of record
            greatest(
                detour,
                case
                    when list_contains({{ envelope_names() }}, name) then 0
                    when list_contains({{ record_names('resource_family') }}, name) then 0
                    {% for family in ['Gift', 'RecurringGift', 'Donor', 'Campaign', 'Page'] -%}
                        when list_contains({{ record_names("'" ~ family ~ "'") }}, name) then 3
                    {% endfor -%}
                    else 2
                end
            ) as detour
        from named_members_{{ depth }}
        where node is not null
    ),

{% endfor -%}
candidates as (
    select * replace (1 as detour)
    from bodies
    where is_record
    {% for depth in range(1, deepest + 1) -%}
        union all by name
        select *
        from members_{{ depth }}
        where is_record
    {% endfor %}
),

records as (
    select
        organization,
        webhook_log_id,
        arg_min(node, row(detour, depth, path)) as record
    from candidates
    group by organization, webhook_log_id
),

read_payloads as (
    select
        opened.*,
        records.record,
        {{ clean_text("coalesce(records.record ->> '$.modifiedDate', records.record ->> '$.modifiedDateTime')") }}
            as modified_text,
        {{ instant_from_text('modified_text', "coalesce(time_zones.time_zone, 'UTC')") }} as modified_at,
        {{ clean_text("records.record ->> '$.canSync'") }} as can_sync_text,
        try_cast(can_sync_text as boolean) as can_sync
    from opened
    left join records
        on
            opened.organization = records.organization
            and opened.webhook_log_id = records.webhook_log_id
    left join time_zones on opened.organization = time_zones.organization
)

select
    organization,
    webhook_log_id,
    case
        when outcome != 'read' then outcome
        when payload is null then 'empty'
        -- an entry that names no record says of none which one in the payload is meant
        when record is null and (record_key is not null or body is null) then 'unreadable'
        -- a switch that is neither on nor off, or that was turned nobody knows when
        when can_sync_text is not null and can_sync is null then 'unreadable'
        when can_sync is not null and modified_text is not null and modified_at is null then 'unreadable'
        else 'readable'
    end as payload_state,
    modified_at,
    case
        when coalesce({{ clean_text("record ->> '$.recurringGiftId'") }}, '0') != '0' then true
        -- APIs leave out what is null; what holds little more than an id leaves out everything
        when json_exists(record, '$.recurringGiftId') or json_exists(record, '$.amount') then false
    end as has_recurring_gift,
    can_sync,
    case when outcome = 'read' and modified_at is null then md5(coalesce(payload, '')) end as body_hash,
    load_id
from read_payloads
