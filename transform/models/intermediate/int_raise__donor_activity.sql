-- What a donor gave and scheduled, as far as it counts: neither test-mode nor deleted records, nor gifts that are neither
-- settled nor reversed.
{{ config(materialized='maintained_table') }}
with activities as (
    select
        organization,
        donor_id,
        entity,
        record_id,
        amount,
        created_at,
        changed_at,
        campaign_name,
        is_expected,
        campaign_evidence,
        case when campaign_evidence = 'unread' then unread_events end as unread_events
    from {{ ref('int_raise__giving_expectations') }}
    where is_activity and donor_id is not null
),

totals as (
    select
        organization,
        donor_id,
        count(*) filter (where entity = 'gift') as gift_count,
        try_cast(coalesce(sum(amount) filter (where entity = 'gift'), 0) as decimal(18, 2)) as gift_amount,
        count(*) filter (where entity = 'recurring_gift') as schedule_count,
        count(*) filter (where is_expected) as expected_count,
        min(created_at) filter (where is_expected) as first_expected_at,
        -- a gift may have been approved by its last change; a schedule is expected from its creation on
        min(case entity when 'gift' then changed_at else created_at end) filter (where is_expected)
            as expected_changed_since,
        count(*) filter (where is_expected is null) as unknown_count,
        count(*) filter (where campaign_evidence = 'assumed') as assumed_count,
        -- what lies unread can be read: it is named first
        arg_min(
            {
                'campaign': campaign_name,
                'unread_events': unread_events
            },
            row(unread_events is null, campaign_name)
        ) filter (where is_expected is null) as unknown,
        min(campaign_name) filter (where not is_expected) as disabled_campaign
    from activities
    group by organization, donor_id
),

-- hardly any two were made at the same instant
first_expected_activities as (
    select
        activities.organization,
        activities.donor_id,
        activities.entity,
        activities.record_id,
        activities.campaign_name,
        activities.campaign_evidence
    from activities
    inner join totals
        on
            activities.organization = totals.organization
            and activities.donor_id = totals.donor_id
            and activities.created_at = totals.first_expected_at
    where activities.is_expected
    qualify
        row_number() over (
            partition by activities.organization, activities.donor_id
            order by activities.entity, activities.record_id
        ) = 1
)

select
    totals.organization,
    totals.donor_id,
    totals.gift_count,
    totals.gift_amount,
    totals.schedule_count,
    totals.expected_count,
    totals.expected_changed_since,
    totals.unknown_count,
    totals.assumed_count,
    totals.first_expected_at,
    first_expected.entity as first_expected_entity,
    first_expected.record_id as first_expected_id,
    first_expected.campaign_evidence as first_expected_evidence,
    first_expected.campaign_name as first_expected_campaign,
    totals.unknown.campaign as unknown_campaign,
    totals.unknown.unread_events,
    totals.disabled_campaign
from totals
left join first_expected_activities as first_expected
    on
        totals.organization = first_expected.organization
        and totals.donor_id = first_expected.donor_id
