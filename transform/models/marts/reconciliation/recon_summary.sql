-- Records and money by entity and status. Statuses that do not occur have no row.
{%- set reconciliations = {
    'donor': 'recon_donors',
    'gift': 'recon_gifts',
    'recurring_gift': 'recon_recurring_gifts',
} %}
with records as (
    {% for entity, reconciliation in reconciliations.items() %}
        select
            organization,
            '{{ entity }}' as entity,
            status,
            coalesce(raise_amount, crm_amount) as amount,
            as_of
        from {{ ref(reconciliation) }}
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}
),

status_totals as (
    select
        organization,
        entity,
        status,
        count(*) as records,
        coalesce(sum(amount), 0) as amount,
        max(as_of) as as_of
    from records
    group by organization, entity, status
)

select
    status_totals.organization,
    status_totals.entity,
    status_totals.status,
    statuses.title,
    statuses.status_group,
    nullif(statuses.severity, '') as severity,
    statuses.is_exception,
    status_totals.records,
    try_cast(status_totals.amount as decimal(18, 2)) as amount,
    cast(
        cast(status_totals.records as decimal(18, 8))
        / sum(status_totals.records) over (partition by status_totals.organization, status_totals.entity)
        as decimal(18, 8)
    ) as share,
    status_totals.as_of,
    case when status_totals.entity = 'gift' then key_health.key_note end as note
from status_totals
left join {{ ref('recon_statuses') }} as statuses
    on
        status_totals.entity = statuses.entity
        and status_totals.status = statuses.code
left join {{ ref('int_recon__gift_key_health') }} as key_health
    on status_totals.organization = key_health.organization
