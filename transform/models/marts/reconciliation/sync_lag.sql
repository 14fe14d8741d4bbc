-- How long matched records took from Raise to CRM+, by the day on which Raise made them.
{%- set sides = {
    'donor': ('recon_donors', 'stg_raise__donors', 'donor_id', 'stg_crm_plus__contacts', 'contact_id'),
    'gift': ('recon_gifts', 'stg_raise__gifts', 'gift_id', 'stg_crm_plus__gifts', 'gift_id'),
    'recurring_gift': (
        'recon_recurring_gifts', 'stg_raise__recurring_gifts', 'recurring_gift_id',
        'stg_crm_plus__recurring_gifts', 'recurring_gift_id',
    ),
} %}
with statuses as (
    select
        entity,
        code
    from {{ ref('recon_statuses') }}
    -- a key in dispute may name a contact of somebody else
    where status_group != 'not counted' and code != 'conflict'
),

{% for entity, (reconciliation, raise_records, raise_key, crm_records, crm_key) in sides.items() %}
    {{ entity }}_matches as (
        select
            matches.organization,
            '{{ entity }}' as entity,
            raise_records.created_at as raise_created_at,
            {% if entity == 'donor' -%}
                -- of a merged contact the one that the sync made, where it is still there
                coalesce(key_contacts.created_at, crm_records.created_at) as crm_created_at
            {%- else -%}
                crm_records.created_at as crm_created_at
            {%- endif %}
        from {{ ref(reconciliation) }} as matches
        semi join statuses
            on
                statuses.entity = '{{ entity }}'
                and matches.status = statuses.code
        inner join {{ ref(raise_records) }} as raise_records
            on
                matches.organization = raise_records.organization
                and matches.raise_id = raise_records.{{ raise_key }}
        inner join {{ ref(crm_records) }} as crm_records
            on
                matches.organization = crm_records.organization
                and matches.crm_id = crm_records.{{ crm_key }}
        {% if entity == 'donor' -%}
            left join {{ ref(crm_records) }} as key_contacts
                on
                    matches.organization = key_contacts.organization
                    and matches.crm_key_contact_id = key_contacts.{{ crm_key }}
        {%- endif %}
    ),

{% endfor %}
lags as (
    {% for entity in sides %}
        select
            organization,
            entity,
            {{ utc_day('raise_created_at') }} as day,
            (epoch_us(crm_created_at) - epoch_us(raise_created_at)) // 1000000 as lag_seconds
        from {{ entity }}_matches
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}
),

days as (
    select
        organization,
        day,
        entity,
        count(*) filter (where lag_seconds >= 0) as records,
        quantile_disc(lag_seconds, [0.5, 0.9, 0.99]) filter (where lag_seconds >= 0) as percentiles,
        max(lag_seconds) filter (where lag_seconds >= 0) as max_seconds,
        count(*) filter (where lag_seconds < 0) as records_first_in_crm_plus,
        count(*) filter (where lag_seconds is null) as records_without_instants
    from lags
    group by organization, day, entity
)

select
    organization,
    day,
    entity,
    records,
    percentiles[1] as p50_seconds,
    percentiles[2] as p90_seconds,
    percentiles[3] as p99_seconds,
    max_seconds,
    records_first_in_crm_plus,
    records_without_instants
from days
