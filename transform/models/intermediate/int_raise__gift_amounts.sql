-- What the allocations of Raise gifts say about covered costs and about the amount in the base currency.
with cost_projects as (
    select
        organization,
        list(project_id) as project_ids
    from {{ ref('stg_raise__projects') }}
    where {{ is_name_of_costs('project_name') }}
    group by organization
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
        gifts.amount,
        gifts.donor_paid_costs,
        upper({{ clean_text('gifts.currency') }}) as currency,
        list_transform(
            coalesce(
                from_json(
                    gifts.projects,
                    '[{"name": "VARCHAR", "projectName": "VARCHAR", "projectId": "VARCHAR", "amount": "VARCHAR",
                        "currencyExchange": {"baseAmount": "VARCHAR", "baseCurrencyCode": "VARCHAR"}}]'
                ),
                []
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
),

sums as (
    select
        organization,
        gift_id,
        amount,
        currency,
        donor_paid_costs,
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
    organization,
    gift_id,
    currency,
    cast(case when donor_paid_costs then coalesce(costs, 0) else 0 end as decimal(18, 2)) as allocated_costs,
    cast(case when donor_paid_costs then coalesce(base_costs, 0) else 0 end as decimal(18, 2)) as base_allocated_costs,
    case when len(base_currencies) = 1 then base_currencies[1] end as base_currency,
    -- the allocations may include the costs or not: only those that make up the amount of the gift say what it is worth
    cast(
        case
            when not is_base_whole or len(base_currencies) != 1 then null
            when abs(allocated - amount) <= rounding then base
            when abs(allocated_without_costs - amount) <= rounding then base_without_costs
        end
        as decimal(18, 2)
    ) as base_amount
from sums
