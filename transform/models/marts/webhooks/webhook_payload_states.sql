-- How far the payloads of the delivery log are known, those about campaigns apart: on these hangs what was meant to sync.
with deliveries as (
    select
        organization,
        {{ is_about_campaign('event_type', 'observed_label') }} as is_about_campaign,
        payload_state,
        attempted_at
    from {{ ref('int_raise__webhook_deliveries') }}
)

select
    organization,
    is_about_campaign,
    payload_state,
    count(*) as entries,
    min(attempted_at) as oldest_at,
    max(attempted_at) as newest_at
from deliveries
group by organization, is_about_campaign, payload_state
