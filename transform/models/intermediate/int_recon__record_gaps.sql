-- Where the records stand that nobody could read and that have no id: between which keys, and before which one they were
-- made. Keys are given in the order of time.
with places as (
    select
        organization,
        'raise' as source,
        resource,
        record_id
    from {{ ref('stg_raise__quarantined_records') }}
    where resolved_at is null
    union
    select
        organization,
        'crm_plus' as source,
        resource,
        record_id
    from {{ ref('stg_crm_plus__quarantined_records') }}
    where resolved_at is null
),

bounded_places as (
    select
        *,
        case
            when ends_with(record_id, '. of all') then -9223372036854775808
            else try_cast(regexp_extract(record_id, '^the [0-9]+\. behind (-?[0-9]+)$', 1) as bigint)
        end as above_key
    from places
),

records as (
    {% for source, resource, key in [
        ('raise', 'donors', 'donor_id'),
        ('raise', 'gifts', 'gift_id'),
        ('raise', 'recurring_gifts', 'recurring_gift_id'),
        ('crm_plus', 'contacts', 'contact_id'),
        ('crm_plus', 'gifts', 'gift_id'),
        ('crm_plus', 'recurring_gifts', 'recurring_gift_id'),
    ] -%}
        select
            organization,
            '{{ source }}' as source,
            '{{ resource }}' as resource,
            {{ key }} as record_key,
            created_at
        from {{ ref('stg_' ~ source ~ '__' ~ resource) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    bounded_places.organization,
    bounded_places.source,
    bounded_places.resource,
    bounded_places.record_id,
    bounded_places.above_key,
    records.record_key as below_key,
    records.created_at as made_before
from bounded_places
asof left join records
    on
        bounded_places.organization = records.organization
        and bounded_places.source = records.source
        and bounded_places.resource = records.resource
        and bounded_places.above_key < records.record_key
where bounded_places.above_key is not null
