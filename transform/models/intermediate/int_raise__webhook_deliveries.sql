-- Attempts to deliver an event, each with the event that it belongs to. What has arrived since the last build is added, and
-- the records that it is about are settled anew.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'record_type', 'record_id'],
    on_schema_change='append_new_columns'
) }}
with hypotheses as (
    select
        event_type,
        min(event_type) over (partition by resource_family) as record_type
    from {{ ref('event_types') }}
),

payloads as (
    select
        organization,
        webhook_log_id,
        payload_state,
        modified_at,
        body_hash,
        has_recurring_gift,
        load_id
    from {{ ref('int_raise__webhook_payloads') }}
),

logs as (
    select
        organization,
        webhook_log_id,
        coalesce(webhook_id, 0) as webhook_id,
        event_type,
        observed_label,
        context_id,
        coalesce(created_at, first_extracted_at) as attempted_at,
        coalesce(is_delivered, http_status_code between 200 and 299) as is_delivered,
        http_status_code,
        http_status_text,
        server_response,
        load_id
    from {{ ref('stg_raise__webhook_logs') }}
),

{% if adds_to('event_body_hash') -%}
    new_ids as ( -- noqa: ST03
        select
            organization,
            webhook_log_id
        from logs
        where load_id not in (select distinct built.load_id from {{ this }} as built)
        union
        select
            organization,
            webhook_log_id
        from payloads
        where
            load_id not in (
                select distinct built.payload_load_id
                from {{ this }} as built
                where built.payload_load_id is not null
            )
    ),

{% endif -%}
read_attempts as (
    select
        logs.organization,
        logs.webhook_log_id,
        logs.webhook_id,
        logs.event_type,
        coalesce(hypotheses.record_type, logs.event_type, 0) as record_type,
        {{ clean_text('logs.context_id') }} as context_id,
        logs.observed_label,
        logs.attempted_at,
        logs.is_delivered,
        logs.http_status_code,
        logs.http_status_text,
        logs.server_response,
        coalesce(payloads.payload_state, 'unread') as payload_state,
        payloads.modified_at,
        payloads.body_hash,
        payloads.has_recurring_gift,
        logs.load_id,
        payloads.load_id as payload_load_id
    from logs
    {% if adds_to('event_body_hash') -%}
        inner join new_ids
            on
                logs.organization = new_ids.organization
                and logs.webhook_log_id = new_ids.webhook_log_id
    {% endif -%}
    left join payloads
        on
            logs.organization = payloads.organization
            and logs.webhook_log_id = payloads.webhook_log_id
    left join hypotheses on logs.event_type = hypotheses.event_type
),

-- an entry that names no record is about one of its own, whatever its payload says: that may be read only later
new_attempts as (
    select
        *,
        coalesce(context_id, 'log ' || webhook_log_id) as record_id
    from read_attempts
),

attempts as (
    select * from new_attempts
    {% if adds_to('event_body_hash') -%}
        union all by name
        select
            built.* exclude (built.event_modified_at, built.event_body_hash, built.computed_at),
            built.event_body_hash as body_hash
        from {{ this }} as built
        semi join new_attempts
            on
                built.organization = new_attempts.organization
                and built.record_type = new_attempts.record_type
                and built.record_id = new_attempts.record_id
        anti join new_ids
            on
                built.organization = new_ids.organization
                and built.webhook_log_id = new_ids.webhook_log_id
    {%- endif %}
),

dated_events as (
    select
        organization,
        event_type,
        record_id,
        modified_at,
        min(attempted_at) as first_attempt_at
    from attempts
    where modified_at is not null
    group by organization, event_type, record_id, modified_at
),

-- a payload that was not read may be that of an event of the same type and record: the nearest in time
nearest_events as (
    select
        attempts.organization,
        attempts.webhook_log_id,
        arg_min(
            dated_events.modified_at,
            row(abs(epoch_us(attempts.attempted_at) - epoch_us(dated_events.first_attempt_at)), dated_events.modified_at)
        ) as event_modified_at
    from attempts
    inner join dated_events
        on
            attempts.organization = dated_events.organization
            and attempts.event_type = dated_events.event_type
            and attempts.record_id = dated_events.record_id
    where attempts.payload_state in ('unread', 'withheld', 'absent', 'refused', 'failed', 'erased')
    group by attempts.organization, attempts.webhook_log_id
)

select
    attempts.organization,
    attempts.webhook_log_id,
    attempts.webhook_id,
    attempts.event_type,
    attempts.record_type,
    attempts.record_id,
    attempts.context_id,
    attempts.observed_label,
    attempts.attempted_at,
    attempts.is_delivered,
    attempts.http_status_code,
    attempts.http_status_text,
    attempts.server_response,
    attempts.payload_state,
    attempts.modified_at,
    coalesce(attempts.modified_at, nearest_events.event_modified_at) as event_modified_at,
    -- what tells no modification is one event with what says the same to the letter
    attempts.body_hash as event_body_hash,
    attempts.has_recurring_gift,
    attempts.load_id,
    attempts.payload_load_id,
    timestamptz '{{ run_started_at }}' as computed_at
from attempts
left join nearest_events
    on
        attempts.organization = nearest_events.organization
        and attempts.webhook_log_id = nearest_events.webhook_log_id
