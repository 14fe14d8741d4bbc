-- Matches whose donor paid costs on top that no allocation of Raise names, and whose CRM+ gifts are not the amount
-- alone: one of their designations may be these costs.
with open_matches as (
    select
        totals.organization,
        totals.raise_gift_id,
        unnest(coalesce(totals.left_gift_ids, totals.crm_gift_ids)) as crm_gift_id
    from {{ ref('int_raise__gift_amounts') }} as amounts
    inner join {{ ref('stg_raise__gifts') }} as gifts
        on
            amounts.organization = gifts.organization
            and amounts.gift_id = gifts.gift_id
    inner join {{ ref('int_recon__gift_totals') }} as totals
        on
            amounts.organization = totals.organization
            and amounts.gift_id = totals.raise_gift_id
    where amounts.has_unnamed_costs and totals.net_amount is distinct from gifts.amount
),

designations as (
    select
        open_matches.organization,
        open_matches.raise_gift_id,
        facts.currency = facts.base_currency as is_in_base,
        gifts.exchange_rate,
        unnest(from_json(gifts.gift_designations, '[{"amountDesignated": "VARCHAR"}]')) as designation
    from open_matches
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            open_matches.organization = facts.organization
            and open_matches.crm_gift_id = facts.gift_id
    inner join {{ ref('stg_crm_plus__gifts') }} as gifts
        on
            open_matches.organization = gifts.organization
            and open_matches.crm_gift_id = gifts.gift_id
    where not facts.is_reversing
),

amounts as (
    select
        *,
        {{ money_from_text('designation.amountdesignated') }} as amount
    from designations
)

select
    organization,
    raise_gift_id,
    list_sort(list(amount)) as amounts,
    list_sort(
        list(
            try_cast(
                cast(amount as decimal(38, 2)) * case when is_in_base then 1 else exchange_rate end as decimal(18, 2)
            )
        )
    ) as base_amounts
from amounts
group by organization, raise_gift_id
