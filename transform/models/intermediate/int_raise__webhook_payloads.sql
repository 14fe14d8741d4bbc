-- What payloads say of themselves: each is parsed once, when it arrives. The text stays in the raw table.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'webhook_log_id'],
    on_schema_change='append_new_columns'
) }}
{%- set deepest = 3 %}
with recursive time_zones as (
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

-- What is looked into: what is not the record, and a body that has its id and wraps something all the same.
nodes as (
    select
        organization,
        webhook_log_id,
        record_key,
        resource_family,
        body as node,
        {{ record_key("body ->> '$.id'") }} = record_key as is_record,
        0 as depth,
        cast([] as varchar[]) as names,
        '' as path
    from opened
    where record_key is not null
    union all
    select
        nodes.organization,
        nodes.webhook_log_id,
        nodes.record_key,
        nodes.resource_family,
        {{ json_object('member.value') }} as member_node,
        {{ record_key("member_node ->> '$.id'") }} = nodes.record_key as is_record,
        nodes.depth + 1 as depth,
        list_append(nodes.names, lower(member.key)) as names,
        nodes.path || '.' || member.key as path
    from nodes, json_each(nodes.node) as member
    where
        nodes.depth < {{ deepest }}
        and member.type in ('OBJECT', 'VARCHAR')
        and (
            not coalesce(nodes.is_record, false)
            or (
                nodes.depth = 0
                and list_has_any(
                    list_transform(json_keys(nodes.node), lambda x: lower(x)), -- noqa: RF02
                    list_concat({{ envelope_names() }}, {{ record_names('nodes.resource_family') }})
                )
            )
        )
),

candidates as (
    select
        *,
        -- an envelope, the body itself, a name that is no known one, the name of another kind of record
        coalesce(
            list_max(
                list_transform(
                    names,
                    lambda name:
                    case
                        when list_contains({{ envelope_names() }}, name) then 0 -- noqa: RF02
                        when list_contains({{ record_names('resource_family') }}, name) then 0 -- noqa: RF02
                        when list_contains(flatten(map_values({{ record_names_by_family() }})), name) then 3 -- noqa: RF02
                        else 2
                    end
                )
            ),
            1
        ) as detour
    from nodes
    where is_record
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
