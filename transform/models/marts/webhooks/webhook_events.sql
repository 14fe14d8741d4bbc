-- The rows of the delivery log folded to events. Only the records about which something new arrived are folded anew.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'record_type', 'record_id'],
    on_schema_change='append_new_columns'
) }}
with hypotheses as (
    select
        event_type,
        resource_family,
        action
    from {{ ref('event_types') }}
),

-- all attempts of a record are settled in one build
deliveries as (
    select *
    from {{ ref('int_raise__webhook_deliveries') }}
    {% if is_incremental() -%}
        where computed_at not in (select distinct built.computed_at from {{ this }} as built)
    {%- endif %}
),

folded as (
    select
        organization,
        event_type,
        record_type,
        record_id,
        event_modified_at as modified_at,
        event_body_hash as body_hash,
        any_value(context_id) as context_id,
        arg_max(observed_label, webhook_log_id) as label,
        count(*) as attempts,
        min(attempted_at) as first_attempt_at,
        min(webhook_log_id) as first_log_id,
        min(attempted_at) filter (where is_delivered) as delivered_at,
        bool_or(is_delivered) as is_delivered,
        bool_or(has_recurring_gift) as has_recurring_gift,
        max(webhook_log_id) filter (where payload_state in ('readable', 'unreadable')) as payload_log_id,
        any_value(computed_at) as computed_at
    from deliveries
    group by organization, event_type, record_type, record_id, event_modified_at, event_body_hash
),

-- by its modification the last writer wins, else by log time; what arrived is in the order of log time
placed as (
    select
        *,
        row_number() over arrival as arrival_place,
        max(modified_at) over (arrival rows between unbounded preceding and 1 preceding) as newest_before,
        row_number() over (
            partition by organization, record_type, record_id
            order by coalesce(modified_at, first_attempt_at) desc, first_attempt_at desc, first_log_id desc
        ) as latest_place
    from folded
    window
        arrival as (
            partition by organization, record_type, record_id order by first_attempt_at asc, first_log_id asc
        )
)

select
    placed.organization,
    concat(
        placed.event_type,
        '-',
        placed.record_id,
        '-',
        coalesce(cast(epoch_us(placed.modified_at) as varchar), placed.body_hash)
    ) as event_key,
    placed.event_type,
    placed.label,
    hypotheses.resource_family,
    hypotheses.action,
    placed.context_id,
    placed.first_attempt_at as occurred_at,
    placed.modified_at,
    placed.attempts,
    placed.first_attempt_at,
    placed.delivered_at,
    placed.is_delivered,
    coalesce(placed.modified_at < placed.newest_before, false) as is_out_of_order,
    placed.latest_place = 1 as is_latest_for_record,
    case
        when hypotheses.action = 'updated' and placed.arrival_place = 1 then 'create'
        when hypotheses.action = 'cancelled' then 'cancel'
        else regexp_replace(hypotheses.action, 'd$', '')
    end as effective_action,
    case
        when hypotheses.resource_family = 'Gift' and placed.has_recurring_gift then 'recurring'
        when hypotheses.resource_family = 'Gift' and not placed.has_recurring_gift then 'one_time'
    end as donation_kind,
    payloads.payload,
    placed.record_type,
    placed.record_id,
    placed.computed_at
from placed
left join hypotheses on placed.event_type = hypotheses.event_type
left join {{ ref('stg_raise__webhook_log_payloads') }} as payloads
    on
        placed.organization = payloads.organization
        and placed.payload_log_id = payloads.webhook_log_id
