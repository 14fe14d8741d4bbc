-- The days add up to recon_gifts: every row once, CRM+ to the cent, and what the two sides differ by where it is assessed.
with days as (
    select
        organization,
        sum(records) as records,
        sum(exceptions) as exceptions,
        sum(crm_net_amount) as crm_net_amount,
        sum(variance - not_assessed_amount) as assessed_variance
    from {{ ref('recon_daily_totals') }}
    group by organization
),

gifts as (
    select
        organization,
        count(*) as records,
        count(*) filter (where is_exception) as exceptions,
        case
            when not bool_or(status = 'not_applicable') then sum(coalesce(compared_net_amount, crm_amount, 0))
        end as crm_net_amount,
        case
            when not bool_or(status = 'not_applicable')
                then
                    coalesce(sum(
                        case
                            when status in ('test_mode', 'deleted', 'not_expected') then 0
                            else coalesce(expected_net_amount, raise_amount, 0)
                        end
                        - coalesce(compared_net_amount, 0)
                    ) filter (where status != 'not_assessable'), 0)
        end as assessed_variance
    from {{ ref('recon_gifts') }}
    group by organization
)

select
    days.* as days,
    gifts.* as gifts
from days
full join gifts on days.organization = gifts.organization
where
    days.records is distinct from gifts.records
    or days.exceptions is distinct from gifts.exceptions
    or coalesce(days.crm_net_amount is distinct from gifts.crm_net_amount, true)
    or coalesce(days.assessed_variance is distinct from gifts.assessed_variance, true)
