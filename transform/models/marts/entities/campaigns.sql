-- Raise campaigns for reporting, deleted ones included. Campaigns are not reconciled: their key is looked up, and what it
-- does not find is not claimed to be missing.
with campaigns as (
    select
        *,
        {{ integer_key('crm_key') }} as crm_key_campaign_id
    from {{ ref('stg_raise__campaigns') }}
),

crm_campaigns as (
    select
        organization,
        campaign_id
    from {{ ref('stg_crm_plus__campaigns') }}
    where not is_deleted
),

organizations as (
    select
        organization,
        coalesce(is_crm_plus_connected, true) as runs_crm_plus
    from {{ ref('int_recon__assessability') }}
    where entity = 'donor'
),

link_urls as (
    select
        organization,
        campaign_id,
        list_min(
            list_filter(
                list_transform(
                    map_entries(try_cast(crm_key_urls as map(varchar, json))), -- noqa: LT01
                    lambda x: coalesce(x.value ->> '$.url', x.value ->> '$')
                ),
                lambda x: contains(lower(x), 'virtuous') and starts_with(x, 'http')
            )
        ) as crm_url
    from campaigns
    where json_type(crm_key_urls) = 'OBJECT'
)

select
    campaigns.organization,
    campaigns.campaign_id,
    {{ clean_text('campaigns.campaign_name') }} as campaign,
    {{ clean_text('campaigns.description') }} as description,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.created_at,
    campaigns.modified_at,
    campaigns.giving_goal as goal_amount,
    campaigns.raised_amount,
    campaigns.total_gifts as gift_count,
    campaigns.total_donors as donor_count,
    campaigns.total_visitors as visitor_count,
    campaigns.average_gift_amount,
    campaigns.can_sync,
    sync_states.can_sync_since,
    sync_states.evidence as can_sync_evidence,
    {{ clean_text('campaigns.crm_key') }} as crm_key,
    case when organizations.runs_crm_plus then crm_campaigns.campaign_id end as crm_id,
    case
        when campaigns.is_deleted then 'deleted'
        when not organizations.runs_crm_plus then 'not_applicable'
        when crm_campaigns.campaign_id is not null then 'linked'
        else 'not_assessable'
    end as recon_status,
    link_urls.crm_url,
    campaigns.is_deleted,
    campaigns.deleted_at
from campaigns
left join organizations on campaigns.organization = organizations.organization
left join crm_campaigns
    on
        campaigns.organization = crm_campaigns.organization
        and campaigns.crm_key_campaign_id = crm_campaigns.campaign_id
left join link_urls
    on
        campaigns.organization = link_urls.organization
        and campaigns.campaign_id = link_urls.campaign_id
left join {{ ref('int_raise__campaign_sync_states') }} as sync_states
    on
        campaigns.organization = sync_states.organization
        and campaigns.campaign_id = sync_states.campaign_id
