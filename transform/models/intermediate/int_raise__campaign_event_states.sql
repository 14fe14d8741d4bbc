-- What the delivery log tells of the sync switch of campaigns: how it stood once the campaign was modified. A payload that
-- does not tell its modification tells nothing: a retry would look like a switch.
with campaign_event_types as (
    select event_type
    from {{ ref('event_types') }}
    where resource_family = 'Campaign'
),

payloads as (
    select
        organization,
        webhook_log_id,
        resource_id,
        can_sync
    from {{ ref('int_raise__webhook_payloads') }}
    where can_sync is not null
),

deliveries as (
    select
        organization,
        webhook_log_id,
        event_type,
        {{ integer_key('record_id') }} as campaign_id,
        modified_at,
        attempted_at
    from {{ ref('int_raise__webhook_deliveries') }}
    where modified_at is not null
),

-- retries and other webhooks tell the same once more
states as (
    select
        deliveries.organization,
        deliveries.campaign_id,
        deliveries.modified_at,
        payloads.can_sync,
        min(row(deliveries.attempted_at, deliveries.webhook_log_id)) as first_told
    from deliveries
    semi join campaign_event_types on deliveries.event_type = campaign_event_types.event_type
    inner join payloads
        on
            deliveries.organization = payloads.organization
            and deliveries.webhook_log_id = payloads.webhook_log_id
    where
        deliveries.campaign_id is not null
        and coalesce({{ integer_key('payloads.resource_id') }}, deliveries.campaign_id) = deliveries.campaign_id
    group by all
)

-- of two with one modification, what the log tells later
select
    organization,
    campaign_id,
    modified_at,
    arg_max(can_sync, first_told) as can_sync
from states
group by organization, campaign_id, modified_at
