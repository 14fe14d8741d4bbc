-- What the allocations of Raise gifts say about covered costs and about the amount in the base currency.
with cost_projects as (
    {{ projects_of_costs(ref('stg_raise__projects')) }}
),

gifts as (
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
                or contains(
                    replace(
                        cast(projects as varchar),
                        '"baseCurrencyCode":"' || coalesce(currency, '') || '"',
                        ''
                    ),
                    '"baseCurrencyCode"'
                )
                then projects
        end as projects
    from {{ ref('stg_raise__gifts') }}
),

allocations as (
    select
        gifts.organization,
        gifts.gift_id,
        list_transform(
            from_json(
                gifts.projects,
                '[{"name": "VARCHAR", "projectName": "VARCHAR", "projectId": "VARCHAR", "amount": "VARCHAR",
                    "currencyExchange": {"baseAmount": "VARCHAR", "baseCurrencyCode": "VARCHAR"}}]'
            ),
            lambda x: {
                'is_costs': {{ is_allocation_of_costs('x', 'cost_projects.project_ids') }},
                'amount': {{ money_from_text('x.amount') }},
                'base_amount': {{ money_from_text('x.currencyexchange.baseamount') }},
                'base_currency': upper({{ clean_text('x.currencyexchange.basecurrencycode') }})
            }
        ) as parts
    from gifts
    left join cost_projects on gifts.organization = cost_projects.organization
    where gifts.projects is not null
),

sums as (
    select
        organization,
        gift_id,
        list_sum(list_transform(parts, lambda x: x.amount)) as allocated,
        list_sum(list_transform(parts, lambda x: case when not x.is_costs then x.amount end)) as allocated_without_costs,
        list_sum(list_transform(parts, lambda x: case when x.is_costs then x.amount end)) as costs,
        list_sum(list_transform(parts, lambda x: x.base_amount)) as base,
        list_sum(list_transform(parts, lambda x: case when not x.is_costs then x.base_amount end)) as base_without_costs,
        list_sum(list_transform(parts, lambda x: case when x.is_costs then x.base_amount end)) as base_costs,
        len(parts) * {{ var('amount_tolerance') }} as rounding,
        len(parts) > 0 and len(list_filter(parts, lambda x: x.base_amount is null or x.amount is null)) = 0 as is_base_whole,
        list_distinct(list_transform(parts, lambda x: x.base_currency)) as base_currencies
    from allocations
)

select
    gifts.organization,
    gifts.gift_id,
    upper({{ clean_text('gifts.currency') }}) as currency,
    cast(case when gifts.donor_paid_costs then coalesce(sums.costs, 0) else 0 end as decimal(18, 2)) as allocated_costs,
    cast(case when gifts.donor_paid_costs then coalesce(sums.base_costs, 0) else 0 end as decimal(18, 2))
        as base_allocated_costs,
    case when len(sums.base_currencies) = 1 then sums.base_currencies[1] end as base_currency,
    -- the allocations may include the costs or not: only those that make up the amount of the gift say what it is worth
    cast(
        case
            when not sums.is_base_whole or len(sums.base_currencies) != 1 then null
            when abs(sums.allocated - gifts.amount) <= sums.rounding then sums.base
            when abs(sums.allocated_without_costs - gifts.amount) <= sums.rounding then sums.base_without_costs
        end
        as decimal(18, 2)
    ) as base_amount
from gifts
left join sums
    on
        gifts.organization = sums.organization
        and gifts.gift_id = sums.gift_id
