{#- Pairs of a Raise gift and a CRM+ gift on one contact, of the same amount and within the same days; in one currency, or
    in the base currency of both. Amounts and dates are compared by buckets, so that the join is one of equality whatever
    the tolerances are.

    Both sides have organization, gift_id, contact_id, amount, currency, base_amount, base_currency and gift_date. -#}
{% macro agreeing_gifts(raise_gifts, crm_gifts) -%}
    {%- set days = var('date_tolerance_days') -%}
    {%- set width = '(2 * ' ~ days ~ ' + 1)' -%}
    with raise_sides as (
        select
            organization,
            gift_id,
            contact_id,
            gift_date,
            amount,
            currency
        from {{ raise_gifts }}
        union all
        select
            organization,
            gift_id,
            contact_id,
            gift_date,
            base_amount as amount,
            base_currency as currency
        from {{ raise_gifts }}
        where base_currency != currency and base_amount is not null
    ),

    crm_sides as (
        select
            organization,
            gift_id,
            contact_id,
            gift_date,
            amount,
            currency
        from {{ crm_gifts }}
        union all
        select
            organization,
            gift_id,
            contact_id,
            gift_date,
            -- few have one: to round it takes long
            try_cast(base_amount as decimal(18, 2)) as amount,
            base_currency as currency
        from {{ crm_gifts }}
        where base_currency != currency and base_amount is not null
    ),

    raise_buckets as (
        select
            *,
            cast(floor(cast(amount as decimal(20, 2)) + 0.5) as bigint) as amount_bucket,
            (gift_date - date '0001-01-01') // {{ width }} as date_bucket
        from raise_sides
    ),

    crm_date_buckets as (
        select
            *,
            unnest(
                generate_series(
                    cast(floor(cast(amount as decimal(20, 2)) + 0.5 - {{ var('amount_tolerance') }}) as bigint),
                    cast(floor(cast(amount as decimal(20, 2)) + 0.5 + {{ var('amount_tolerance') }}) as bigint)
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
    )

    select distinct
        raise_buckets.organization,
        raise_buckets.gift_id as raise_gift_id,
        raise_buckets.contact_id,
        crm_buckets.gift_id as crm_gift_id
    from raise_buckets
    inner join crm_buckets
        on
            raise_buckets.organization = crm_buckets.organization
            and raise_buckets.contact_id = crm_buckets.contact_id
            and raise_buckets.amount_bucket = crm_buckets.amount_bucket
            and raise_buckets.date_bucket = crm_buckets.date_bucket
    where
        abs({{ wide('raise_buckets.amount') }} - crm_buckets.amount) <= {{ var('amount_tolerance') }}
        and abs(raise_buckets.gift_date - crm_buckets.gift_date) <= {{ days }}
        and coalesce(raise_buckets.currency = crm_buckets.currency, true)
{%- endmacro %}
