-- What the delivery log tells of the sync switch of campaigns: how it stood once the campaign was modified. A payload that
-- does not tell its modification tells nothing: a retry would look like a switch.
with payloads as (
    select
        organization,
        webhook_log_id,
        can_sync
    from {{ ref('int_raise__webhook_payloads') }}
    where can_sync is not null
),

-- a modification that is later than the clock of the last run is none
deliveries as (
    select
        deliveries.organization,
        deliveries.webhook_log_id,
        {{ integer_key('deliveries.record_id') }} as campaign_id,
        deliveries.modified_at,
        deliveries.attempted_at
    from {{ ref('int_raise__webhook_deliveries') }} as deliveries
    left join {{ ref('stg_raise__connections') }} as connections
        on deliveries.organization = connections.organization
    where
        deliveries.modified_at <= coalesce(connections.recorded_at, 'infinity')
        and {{ is_about_campaign('deliveries.event_type', 'deliveries.observed_label') }}
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
    inner join payloads
        on
            deliveries.organization = payloads.organization
            and deliveries.webhook_log_id = payloads.webhook_log_id
    where deliveries.campaign_id is not null
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
