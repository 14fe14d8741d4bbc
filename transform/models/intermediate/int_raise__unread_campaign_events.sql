-- Entries of the delivery log about campaigns that may tell of a switch nobody knows: their payload was not read, or could
-- not be understood.
with deliveries as (
    select
        organization,
        webhook_log_id,
        attempted_at as logged_at,
        payload_state,
        {{ integer_key('context_id') }} as campaign_id,
        {{ is_about_campaign('event_type', 'observed_label') }} as is_about_campaign
    from {{ ref('int_raise__webhook_deliveries') }}
)

select
    organization,
    webhook_log_id,
    campaign_id,
    logged_at
from deliveries
where payload_state != 'readable' and is_about_campaign and campaign_id is not null
