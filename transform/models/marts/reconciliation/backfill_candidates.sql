-- Gifts that were made while their campaign did not sync and whose campaign syncs again: nothing sends them by itself.
with live_campaigns as (
    select
        organization,
        campaign_id
    from {{ ref('stg_raise__campaigns') }}
    where not is_deleted
),

-- the last known state of a campaign that is gone says nothing
syncing_campaigns as (
    select
        states.organization,
        states.campaign_id,
        states.campaign_name,
        states.can_sync_since,
        states.evidence
    from {{ ref('int_raise__campaign_sync_states') }} as states
    semi join live_campaigns
        on
            states.organization = live_campaigns.organization
            and states.campaign_id = live_campaigns.campaign_id
    where states.can_sync
),

held_back_gifts as (
    select
        organization,
        raise_id,
        donor_id,
        contact_id,
        raise_amount,
        raise_currency,
        gift_date
    from {{ ref('recon_gifts') }}
    where status = 'sync_disabled'
),

candidates as (
    select
        gifts.*,
        giving_records.created_at,
        syncing_campaigns.campaign_id,
        syncing_campaigns.campaign_name,
        syncing_campaigns.can_sync_since,
        syncing_campaigns.evidence
    from held_back_gifts as gifts
    inner join {{ ref('int_raise__giving_records') }} as giving_records
        on
            gifts.organization = giving_records.organization
            and gifts.raise_id = giving_records.record_id
            and giving_records.entity = 'gift'
    inner join {{ ref('int_raise__campaign_candidates') }} as campaign_candidates
        on
            giving_records.organization = campaign_candidates.organization
            and giving_records.campaign_lookup_key = campaign_candidates.campaign_lookup_key
    inner join syncing_campaigns
        on
            campaign_candidates.organization = syncing_campaigns.organization
            and campaign_candidates.campaign_id = syncing_campaigns.campaign_id
    -- of several campaigns with one name, one that syncs is enough
    qualify
        row_number() over (
            partition by gifts.organization, gifts.raise_id
            order by syncing_campaigns.campaign_id
        ) = 1
)

select
    candidates.organization,
    candidates.raise_id,
    candidates.donor_id,
    donors.donor_name,
    donors.email as donor_email,
    candidates.contact_id,
    candidates.raise_amount,
    candidates.raise_currency as currency,
    candidates.gift_date,
    candidates.created_at,
    candidates.campaign_id,
    candidates.campaign_name as campaign,
    candidates.can_sync_since as syncs_again_since,
    candidates.evidence
from candidates
left join {{ ref('stg_raise__donors') }} as donors
    on
        candidates.organization = donors.organization
        and candidates.donor_id = donors.donor_id
