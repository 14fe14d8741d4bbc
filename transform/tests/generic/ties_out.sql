{#- The days add up to the gifts: every row once, CRM+ to the cent, and what the sides differ by where it is assessed. -#}
{% test ties_out(model, gifts) %}

with days as (
    select
        organization,
        sum(records) as records,
        sum(exceptions) as exceptions,
        sum(crm_net_amount) as crm_net_amount,
        sum(variance - not_assessed_amount) as assessed_variance
    from {{ model }}
    group by organization
),

gift_totals as (
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
    from {{ gifts }}
    group by organization
)

select
    days.* as days,
    gift_totals.* as gift_totals
from days
full join gift_totals on days.organization = gift_totals.organization
where
    days.records is distinct from gift_totals.records
    or days.exceptions is distinct from gift_totals.exceptions
    or coalesce(days.crm_net_amount is distinct from gift_totals.crm_net_amount, true)
    or coalesce(days.assessed_variance is distinct from gift_totals.assessed_variance, true)

{% endtest %}
