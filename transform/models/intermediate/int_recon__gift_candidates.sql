-- The third step of the ladder: CRM+ gifts and Raise gifts left over on the same contact, of the same amount and within the
-- same days. Which of them is accepted is a matter of uniqueness. Amounts and dates are compared by buckets, so that the
-- join is one of equality whatever the tolerances are.
{%- set days = var('date_tolerance_days') -%}
{%- set width = '(2 * ' ~ days ~ ' + 1)' %}
with linked_raise_gifts as (
    select
        organization,
        raise_gift_id
    from {{ ref('int_recon__gift_links') }}
    where raise_gift_id is not null and not is_reversing
),

left_raise_gifts as (
    select
        gifts.organization,
        gifts.gift_id,
        gifts.amount,
        amounts.currency,
        amounts.base_amount,
        amounts.base_currency,
        donor_links.crm_id as contact_id,
        gifts.gift_date,
        gifts.is_deleted
    from {{ ref('stg_raise__gifts') }} as gifts
    anti join linked_raise_gifts
        on
            gifts.organization = linked_raise_gifts.organization
            and gifts.gift_id = linked_raise_gifts.raise_gift_id
    inner join {{ ref('int_raise__donor_links') }} as donor_links
        on
            gifts.organization = donor_links.organization
            and gifts.donor_id = donor_links.donor_id
    left join {{ ref('int_raise__gift_amounts') }} as amounts
        on
            gifts.organization = amounts.organization
            and gifts.gift_id = amounts.gift_id
    where
        -- a gift that never became money does not compete with the one that did
        gifts.status_group in ('settled', 'reversed')
        and (not gifts.is_test_mode or {{ var('include_test_mode') }})
        and donor_links.crm_id is not null
        and gifts.amount > 0
        and gifts.gift_date is not null
),

raise_sides as (
    select
        organization,
        gift_id,
        contact_id,
        gift_date,
        is_deleted,
        amount,
        currency
    from left_raise_gifts
    union all
    select
        organization,
        gift_id,
        contact_id,
        gift_date,
        is_deleted,
        base_amount as amount,
        base_currency as currency
    from left_raise_gifts
    where base_currency != currency and base_amount is not null
),

left_crm_gifts as (
    select
        facts.organization,
        facts.gift_id,
        facts.resolved_contact_id as contact_id,
        facts.amount,
        facts.currency,
        facts.base_amount,
        facts.base_currency,
        facts.gift_date
    from {{ ref('int_recon__gift_links') }} as links
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            links.organization = facts.organization
            and links.crm_gift_id = facts.gift_id
    where
        links.raise_gift_id is null
        and not links.is_claim
        and not links.is_reversing
        and facts.resolved_contact_id is not null
        and facts.amount > 0
        and facts.gift_date is not null
),

crm_sides as (
    select
        organization,
        gift_id,
        contact_id,
        gift_date,
        amount,
        currency
    from left_crm_gifts
    union all
    select
        organization,
        gift_id,
        contact_id,
        gift_date,
        -- few have one: to round it takes long
        cast(base_amount as decimal(18, 2)) as amount,
        base_currency as currency
    from left_crm_gifts
    where base_currency != currency and base_amount is not null
),

raise_buckets as (
    select
        *,
        cast(floor(amount + 0.5) as bigint) as amount_bucket,
        (gift_date - date '0001-01-01') // {{ width }} as date_bucket
    from raise_sides
),

crm_date_buckets as (
    select
        *,
        unnest(
            generate_series(
                cast(floor(amount + 0.5 - {{ var('amount_tolerance') }}) as bigint),
                cast(floor(amount + 0.5 + {{ var('amount_tolerance') }}) as bigint)
            )
        ) as amount_bucket,
        generate_series(
            (gift_date - date '0001-01-01' - {{ days }}) // {{ width }},
            (gift_date - date '0001-01-01' + {{ days }}) // {{ width }}
        ) as date_buckets
    from crm_sides
),

crm_buckets as (
    select
        organization,
        gift_id,
        contact_id,
        gift_date,
        amount,
        currency,
        amount_bucket,
        unnest(date_buckets) as date_bucket
    from crm_date_buckets
),

neighbours as (
    select distinct
        raise_buckets.organization,
        raise_buckets.gift_id as raise_gift_id,
        raise_buckets.is_deleted,
        crm_buckets.gift_id as crm_gift_id
    from raise_buckets
    inner join crm_buckets
        on
            raise_buckets.organization = crm_buckets.organization
            and raise_buckets.contact_id = crm_buckets.contact_id
            and raise_buckets.amount_bucket = crm_buckets.amount_bucket
            and raise_buckets.date_bucket = crm_buckets.date_bucket
    where
        abs(raise_buckets.amount - crm_buckets.amount) <= {{ var('amount_tolerance') }}
        and abs(raise_buckets.gift_date - crm_buckets.gift_date) <= {{ days }}
        and coalesce(raise_buckets.currency = crm_buckets.currency, true)
),

-- a gift that was deleted in Raise does not compete with one that is there
candidates as (
    select
        organization,
        raise_gift_id,
        crm_gift_id
    from neighbours
    qualify not is_deleted or bool_and(is_deleted) over (partition by organization, crm_gift_id)
)

select
    organization,
    raise_gift_id,
    crm_gift_id,
    count(*) over (partition by organization, raise_gift_id) as crm_gift_count,
    count(*) over (partition by organization, crm_gift_id) as raise_gift_count,
    count(*) over (partition by organization, raise_gift_id) = 1
    and count(*) over (partition by organization, crm_gift_id) = 1 as is_unique
from candidates
