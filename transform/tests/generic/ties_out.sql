{#- The days add up to the gifts: every row once, CRM+ to the cent, and what the sides differ by where it is assessed. -#}
{% test ties_out(model, gifts) %}

with days as (
    select
        organization,
        sum(records) as records,
        sum(exceptions) as exceptions,
        sum(crm_net_amount) as crm_net_amount,
        sum({{ wide('variance') }} - not_assessed_amount) as assessed_variance,
        -- sums of absurd amounts that the type does not hold are null, and say nothing
        bool_or(raise_net_amount is null)
        or (bool_or(crm_net_amount is not null) and bool_or(variance is null or not_assessed_amount is null))
            as has_unheld_sums
    from {{ model }}
    group by organization
),

-- an organization without CRM+ has no CRM+ figures, whatever became of its gifts
may_have_crm_plus as (
    select
        organization,
        coalesce(is_crm_plus_connected, true) as may_have
    from {{ ref('int_recon__assessability') }}
    where entity = 'gift'
),

gift_totals as (
    select
        gifts.organization,
        count(*) as records,
        count(*) filter (where gifts.is_exception) as exceptions,
        case
            when bool_and(coalesce(may_have_crm_plus.may_have, true))
                then sum(coalesce(gifts.compared_net_amount, gifts.crm_amount, 0))
        end as crm_net_amount,
        case
            when bool_and(coalesce(may_have_crm_plus.may_have, true))
                then
                    coalesce(sum(
                        case
                            when gifts.status in ('test_mode', 'deleted', 'not_expected') then 0
                            else {{ wide('coalesce(gifts.expected_net_amount, gifts.raise_amount, 0)') }}
                        end
                        - coalesce(gifts.compared_net_amount, gifts.crm_amount, 0)
                    ) filter (where gifts.status != 'not_assessable'), 0)
        end as assessed_variance
    from {{ gifts }} as gifts
    left join may_have_crm_plus on gifts.organization = may_have_crm_plus.organization
    group by gifts.organization
)

select
    days.* as days,
    gift_totals.* as gift_totals
from days
full join gift_totals on days.organization = gift_totals.organization
where
    days.records is distinct from gift_totals.records
    or days.exceptions is distinct from gift_totals.exceptions
    or (days.crm_net_amount is distinct from gift_totals.crm_net_amount and not days.has_unheld_sums)
    or (days.assessed_variance is distinct from gift_totals.assessed_variance and not days.has_unheld_sums)

{% endtest %}
