-- What the allocations of Raise gifts say about covered costs and about the amount in the base currency.
{{ config(materialized='maintained_table') }}
with cost_projects as (
    {{ projects_of_costs(ref('stg_raise__projects')) }}
),

gifts as not materialized (
    select
        organization,
        gift_id,
        amount,
        currency,
        donor_paid_costs,
        -- most gifts have neither costs nor another base currency: theirs are not parsed
        case
            when
                donor_paid_costs
                or len(
                    list_filter(
                        from_json(projects, '[{"currencyExchange": {"baseCurrencyCode": "VARCHAR"}}]'),
                        lambda x: x.currencyexchange.basecurrencycode != coalesce(currency, '')
                    )
                ) > 0
                then projects
        end as projects
    from {{ ref('stg_raise__gifts') }}
),

allocations as (
    select
        organization,
        gift_id,
        unnest(
            from_json(
                projects,
                '[{"name": "VARCHAR", "projectName": "VARCHAR", "projectId": "VARCHAR", "amount": "VARCHAR",
                    "currencyExchange": {"baseAmount": "VARCHAR", "baseCurrencyCode": "VARCHAR"}}]'
            )
        ) as allocation
    from gifts
    where projects is not null
),

parts as (
    select
        allocations.organization,
        allocations.gift_id,
        {{ is_allocation_of_costs('allocations.allocation', 'cost_projects.project_ids') }} as is_costs,
        {{ money_from_text('allocations.allocation.amount') }} as amount,
        {{ money_from_text('allocations.allocation.currencyexchange.baseamount') }} as base_amount,
        upper({{ clean_text('allocations.allocation.currencyexchange.basecurrencycode') }}) as base_currency
    from allocations
    left join cost_projects on allocations.organization = cost_projects.organization
),

sums as (
    select
        organization,
        gift_id,
        sum(amount) as allocated,
        sum(amount) filter (where not is_costs) as allocated_without_costs,
        sum(amount) filter (where is_costs) as costs,
        bool_or(is_costs) as has_costs,
        sum(base_amount) as base,
        sum(base_amount) filter (where not is_costs) as base_without_costs,
        sum(base_amount) filter (where is_costs) as base_costs,
        count(*) * {{ var('amount_tolerance') }} as rounding,
        bool_and(base_amount is not null and amount is not null) as is_base_whole,
        case when min(base_currency) = max(base_currency) then any_value(base_currency) end as base_currency
    from parts
    group by organization, gift_id
)

select
    gifts.organization,
    gifts.gift_id,
    upper({{ clean_text('gifts.currency') }}) as currency,
    try_cast(case when gifts.donor_paid_costs then coalesce(sums.costs, 0) else 0 end as decimal(18, 2)) as allocated_costs,
    try_cast(case when gifts.donor_paid_costs then coalesce(sums.base_costs, 0) else 0 end as decimal(18, 2))
        as base_allocated_costs,
    coalesce(gifts.donor_paid_costs, false) and not coalesce(sums.has_costs, false) as has_unnamed_costs,
    sums.base_currency,
    -- the allocations may include the costs or not: only those that make up the amount of the gift say what it is worth
    try_cast(
        case
            when not sums.is_base_whole or sums.base_currency is null then null
            when abs({{ wide('sums.allocated') }} - gifts.amount) <= sums.rounding then sums.base
            when abs({{ wide('sums.allocated_without_costs') }} - gifts.amount) <= sums.rounding then sums.base_without_costs
        end
        as decimal(18, 2)
    ) as base_amount
from gifts
left join sums
    on
        gifts.organization = sums.organization
        and gifts.gift_id = sums.gift_id
