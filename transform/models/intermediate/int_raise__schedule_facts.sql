-- Raise schedules with what their matching and comparison need.
with schedules as (
    select
        organization,
        recurring_gift_id,
        donor_id,
        crm_key,
        has_crm_key,
        crm_key_recurring_gift_id,
        crm_key_urls,
        status_text,
        frequency,
        formatted_frequency,
        amount,
        projects,
        donor_cover_costs,
        upper({{ clean_text('currency_code') }}) as currency,
        upper({{ clean_text('base_currency_code') }}) as base_currency,
        campaign_name,
        is_test_mode,
        is_deleted,
        deleted_at,
        created_at,
        modified_at,
        first_extracted_at,
        extracted_at
    from {{ ref('stg_raise__recurring_gifts') }}
),

states as (
    select
        label,
        state,
        is_ended
    from {{ ref('int_seeds__recurring_states') }}
    where source = 'raise' and problem is null
),

frequencies as (
    select
        value,
        payments_per_year
    from {{ ref('int_seeds__frequencies') }}
    where source = 'raise' and problem is null
),

cost_projects as (
    {{ projects_of_costs(ref('stg_raise__projects')) }}
),

cost_allocations as (
    select
        schedules.organization,
        schedules.recurring_gift_id,
        list_sum(
            list_transform(
                list_filter(
                    from_json(
                        schedules.projects,
                        '[{"name": "VARCHAR", "projectName": "VARCHAR", "projectId": "VARCHAR", "amount": "VARCHAR"}]'
                    ),
                    lambda x: {{ is_allocation_of_costs('x', 'cost_projects.project_ids') }}
                ),
                lambda x: {{ money_from_text('x.amount') }}
            )
        ) as covered_costs
    from schedules
    left join cost_projects on schedules.organization = cost_projects.organization
    where schedules.donor_cover_costs
),

link_urls as (
    select
        organization,
        recurring_gift_id,
        list_min(
            list_filter(
                list_transform(
                    map_entries(try_cast(crm_key_urls as map(varchar, json))), -- noqa: LT01
                    lambda x: coalesce(x.value ->> '$.url', x.value ->> '$')
                ),
                lambda x: contains(lower(x), 'virtuous') and starts_with(x, 'http')
            )
        ) as crm_url
    from schedules
    where json_type(crm_key_urls) = 'OBJECT'
),

described as (
    select
        schedules.organization,
        schedules.recurring_gift_id,
        schedules.donor_id,
        schedules.crm_key,
        schedules.has_crm_key,
        schedules.crm_key_recurring_gift_id,
        schedules.status_text,
        states.state,
        states.is_ended,
        schedules.formatted_frequency,
        schedules.frequency,
        frequencies.payments_per_year,
        schedules.amount,
        coalesce(cost_allocations.covered_costs, 0) as covered_costs,
        schedules.currency,
        coalesce(schedules.currency != schedules.base_currency, false) as is_foreign_currency,
        schedules.campaign_name,
        schedules.is_test_mode,
        schedules.is_deleted,
        schedules.deleted_at,
        coalesce(schedules.created_at, schedules.first_extracted_at) as created_at,
        -- Raise does not say when a schedule ended: the last change is the latest it can have been
        case when states.is_ended then schedules.modified_at end as ended_by,
        coalesce(greatest(schedules.created_at, schedules.modified_at), schedules.extracted_at) as changed_at,
        link_urls.crm_url,
        -- a state that nobody knows is not an end
        not coalesce(states.is_ended, false)
        and not schedules.is_deleted
        and (not schedules.is_test_mode or {{ var('include_test_mode') }}) as is_live
    from schedules
    left join states
        on replace({{ fold_text('schedules.status_text') }}, ' ', '') = states.label
    left join frequencies
        on cast(schedules.frequency as varchar) = frequencies.value
    left join cost_allocations
        on
            schedules.organization = cost_allocations.organization
            and schedules.recurring_gift_id = cost_allocations.recurring_gift_id
    left join link_urls
        on
            schedules.organization = link_urls.organization
            and schedules.recurring_gift_id = link_urls.recurring_gift_id
),

live_key_counts as (
    select
        organization,
        crm_key_recurring_gift_id,
        count(*) as live_count,
        list(recurring_gift_id order by recurring_gift_id) as recurring_gift_ids
    from described
    where is_live and crm_key_recurring_gift_id is not null
    group by organization, crm_key_recurring_gift_id
)

select
    described.*,
    case
        when described.is_live and live_key_counts.live_count > 1
            then list_filter(live_key_counts.recurring_gift_ids, lambda x: x != described.recurring_gift_id) -- noqa: RF02
    end as other_live_ids_with_key
from described
left join live_key_counts
    on
        described.organization = live_key_counts.organization
        and described.crm_key_recurring_gift_id = live_key_counts.crm_key_recurring_gift_id
