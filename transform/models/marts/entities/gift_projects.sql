-- What each Raise gift is designated to: one row per allocation, in the order of the gift.
{{ config(materialized='maintained_table') }}
with allocation_lists as (
    select
        organization,
        gift_id,
        from_json(
            projects,
            '[{"projectId": "BIGINT", "name": "VARCHAR", "projectName": "VARCHAR", "amount": "VARCHAR", "currencyExchange":
                {"baseAmount": "VARCHAR", "baseCurrencyCode": "VARCHAR"}}]'
        ) as allocations
    from {{ ref('stg_raise__gifts') }}
),

allocations as (
    select
        organization,
        gift_id,
        generate_subscripts(allocations, 1) as position,
        unnest(allocations) as allocation
    from allocation_lists
),

parts as (
    select
        organization,
        gift_id,
        position,
        allocation.projectid as project_id,
        coalesce({{ clean_text('allocation.name') }}, {{ clean_text('allocation.projectname') }}) as project_name,
        {{ money_from_text('allocation.amount') }} as amount,
        {{ money_from_text('allocation.currencyexchange.baseamount') }} as base_amount,
        upper({{ clean_text('allocation.currencyexchange.basecurrencycode') }}) as base_currency
    from allocations
),

projects as materialized (
    select
        organization,
        project_id,
        {{ clean_text('project_name') }} as project_name,
        {{ clean_text('code') }} as project_code
    from {{ ref('stg_raise__projects') }}
)

select
    parts.organization,
    parts.gift_id,
    parts.position,
    parts.project_id,
    coalesce(parts.project_name, projects.project_name) as project_name,
    projects.project_code,
    parts.amount,
    gifts.currency,
    parts.base_amount,
    parts.base_currency,
    gifts.donor_id,
    gifts.donation_kind,
    gifts.gift_date,
    gifts.status,
    gifts.status_group,
    gifts.campaign_id,
    gifts.campaign,
    gifts.crm_id,
    gifts.recon_status,
    gifts.crm_url,
    gifts.is_test_mode,
    gifts.is_deleted
from parts
inner join {{ ref('gifts') }} as gifts
    on
        parts.organization = gifts.organization
        and parts.gift_id = gifts.gift_id
left join projects
    on
        parts.organization = projects.organization
        and parts.project_id = projects.project_id
