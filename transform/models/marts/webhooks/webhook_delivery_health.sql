-- How the deliveries of a webhook went on a day (UTC). Only the days on which something changed are counted anew.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['organization', 'webhook_id', 'day'],
    on_schema_change='append_new_columns'
) }}
with deliveries as (
    select
        organization,
        webhook_id,
        {{ utc_day('attempted_at') }} as day,
        event_type,
        record_id,
        event_modified_at,
        event_body_hash,
        webhook_log_id,
        attempted_at,
        is_delivered,
        http_status_code,
        http_status_text,
        server_response,
        payload_state,
        computed_at
    from {{ ref('int_raise__webhook_deliveries') }}
),

{% if is_incremental() -%}
    changed_days as (
        select
            organization,
            webhook_id,
            day,
            max(computed_at) as computed_at
        from deliveries
        group by organization, webhook_id, day
        except
        select
            organization,
            webhook_id,
            day,
            computed_at
        from {{ this }}
    ),

{% endif -%}
counted_deliveries as (
    select deliveries.*
    from deliveries
    {% if is_incremental() -%}
        semi join changed_days
            on
                deliveries.organization = changed_days.organization
                and deliveries.webhook_id = changed_days.webhook_id
                and deliveries.day = changed_days.day
    {%- endif %}
),

events as (
    select
        organization,
        webhook_id,
        day,
        bool_or(is_delivered) as is_delivered,
        count(*) as attempts,
        count(*) filter (where is_delivered) as delivered_attempts,
        count(*) filter (where payload_state in ('readable', 'unreadable', 'empty')) as payloads_read,
        max(computed_at) as computed_at
    from counted_deliveries
    group by organization, webhook_id, day, event_type, record_id, event_modified_at, event_body_hash
),

days as (
    select
        organization,
        webhook_id,
        day,
        cast(sum(attempts) as bigint) as attempts,
        cast(sum(delivered_attempts) as bigint) as delivered_attempts,
        cast(sum(payloads_read) as bigint) as payloads_read,
        count(*) as events,
        count(*) filter (where is_delivered) as delivered_events,
        max(computed_at) as computed_at
    from events
    group by organization, webhook_id, day
),

successes as (
    select
        organization,
        webhook_id,
        day,
        max(attempted_at) as last_success_at
    from counted_deliveries
    where is_delivered
    group by organization, webhook_id, day
),

failures_by_status as (
    select
        organization,
        webhook_id,
        day,
        coalesce(cast(http_status_code as varchar), http_status_text, 'no answer') as http_status,
        count(*) as failures,
        max(webhook_log_id) as last_log_id,
        max(attempted_at) as last_failure_at,
        arg_max(coalesce(server_response, ''), webhook_log_id) as last_response
    from counted_deliveries
    where not is_delivered
    group by organization, webhook_id, day, http_status_code, http_status_text
),

failures as (
    select
        organization,
        webhook_id,
        day,
        to_json(map_from_entries(list(row(http_status, failures) order by http_status))) as failures_by_status,
        max(last_failure_at) as last_failure_at,
        arg_max(http_status, last_log_id) as last_failure_status,
        nullif(arg_max(last_response, last_log_id), '') as last_failure_response
    from failures_by_status
    group by organization, webhook_id, day
)

select
    days.organization,
    days.webhook_id,
    webhooks.webhook_name,
    days.day,
    days.attempts,
    days.delivered_attempts,
    days.events,
    days.delivered_events,
    cast(days.delivered_events / days.events as decimal(7, 6)) as delivered_share,
    failures.failures_by_status,
    successes.last_success_at,
    failures.last_failure_at,
    failures.last_failure_status,
    failures.last_failure_response,
    days.payloads_read,
    days.computed_at
from days
left join successes
    on
        days.organization = successes.organization
        and days.webhook_id = successes.webhook_id
        and days.day = successes.day
left join failures
    on
        days.organization = failures.organization
        and days.webhook_id = failures.webhook_id
        and days.day = failures.day
left join {{ ref('stg_raise__webhooks') }} as webhooks
    on
        days.organization = webhooks.organization
        and days.webhook_id = webhooks.webhook_id
