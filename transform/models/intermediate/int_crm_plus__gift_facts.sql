-- The CRM+ gifts that are there, with what their matching and comparison need.
{{ config(materialized='maintained_table') }}
-- depends_on: {{ ref('int_raise__transaction_ids') }}
{%- set fields = transaction_id_columns() %}
with gifts as not materialized (
    select
        organization,
        gift_id,
        reversed_gift_id,
        contact_id,
        is_from_raise,
        transaction_source,
        transaction_id,
        gift_type,
        gift_url,
        amount,
        exchange_rate,
        gift_designations,
        upper({{ clean_text('currency_code') }}) as currency,
        upper({{ clean_text('base_currency_code') }}) as base_currency,
        gift_date,
        created_at,
        modified_at,
        first_extracted_at,
        coalesce({{ fold_label('gift_type') }} = 'reversingtransaction', false) or coalesce(amount < 0, false)
            as is_reversing
    from {{ ref('stg_crm_plus__gifts') }}
    where not is_deleted
),

reversing_gifts as (
    select
        organization,
        gift_id
    from gifts
    where is_reversing
),

-- whether CRM+ gives a reversal its sign is not documented: without one it takes away, unless it takes back a reversal
signed_gifts as not materialized (
    select
        gifts.*,
        case when gifts.is_reversing and gifts.amount > 0 and named_reversals.gift_id is null then -1 else 1 end as sign
    from gifts
    left join reversing_gifts as named_reversals
        on
            gifts.organization = named_reversals.organization
            and gifts.reversed_gift_id = named_reversals.gift_id
),

transaction_texts as not materialized (
    select
        *,
        {{ fold_text('transaction_id') }} as transaction_text
    from signed_gifts
),

transaction_keys as not materialized (
    select
        *,
        {{ transaction_key('transaction_text') }} as transaction_key
    from transaction_texts
),

paired_gifts as not materialized (
    select
        * replace (try_cast(sign * amount as decimal(18, 2)) as amount),
        case when is_from_raise then transaction_key end as pair_key,
        case when is_from_raise then {{ transaction_key_without_part('transaction_key') }} end as pair_key_without_part,
        -- the sources that stand for Raise are one
        case when is_from_raise then '' else {{ fold_text('transaction_source') }} end
        || chr(31) || transaction_key as transaction_pair
    from transaction_keys
),

keyed_gifts as (
    select
        *,
        {{ integer_key('pair_key_without_part') }} as pair_raise_id
    from paired_gifts
),

{% if fields != ['gift_id'] -%}
    raise_shapes as (
        select
            organization,
            shape,
            min(length(raise_key)) as shortest,
            max(length(raise_key)) as longest
        from {{ ref('int_raise__transaction_ids') }}
        where is_of_one_gift
        group by organization, shape
    ),

    text_keys as (
        select distinct
            organization,
            gift_id,
            unnest([pair_key, pair_key_without_part]) as crm_key
        from keyed_gifts
    ),

    -- an id that no Raise gift has is one of Raise only if it looks like those; one that several have names none of them
    gifts_with_raise_ids as (
        select distinct
            text_keys.organization,
            text_keys.gift_id
        from text_keys
        inner join raise_shapes
            on
                text_keys.organization = raise_shapes.organization
                and {{ transaction_shape('text_keys.crm_key') }} = raise_shapes.shape
                and length(text_keys.crm_key) between raise_shapes.shortest and raise_shapes.longest
        left join {{ ref('int_raise__transaction_ids') }} as raise_ids
            on
                text_keys.organization = raise_ids.organization
                and text_keys.crm_key = raise_ids.raise_key
        where coalesce(raise_ids.is_of_one_gift, true)
    ),

{% endif -%}
-- few gifts have such a part: the nested designations of the others are not parsed
unsigned_costs as (
    select
        organization,
        gift_id,
        sign,
        list_sum(
            list_transform(
                list_filter(
                    from_json(
                        gift_designations,
                        '[{"project": "VARCHAR", "projectCode": "VARCHAR", "amountDesignated": "VARCHAR"}]'
                    ),
                    lambda x: {{ is_name_of_costs('x.project') }} or {{ is_name_of_costs('x.projectcode') }}
                ),
                lambda x: {{ money_from_text('x.amountdesignated') }}
            )
        ) as costs
    from signed_gifts
    where {{ may_name_costs('cast(gift_designations as varchar)') }}
),

cost_designations as (
    select
        organization,
        gift_id,
        case when sign = -1 then -abs(costs) else costs end as signed_costs
    from unsigned_costs
)

select
    keyed_gifts.organization,
    keyed_gifts.gift_id,
    keyed_gifts.reversed_gift_id,
    keyed_gifts.contact_id,
    contacts.survivor_contact_id as resolved_contact_id,
    gift_contacts.contact_ids,
    coalesce(gift_contacts.is_contact_unknown, contacts.is_end_unknown, false) as is_contact_quarantined,
    keyed_gifts.is_from_raise,
    keyed_gifts.pair_key,
    keyed_gifts.pair_key_without_part,
    keyed_gifts.pair_raise_id,
    keyed_gifts.transaction_pair,
    {% if 'gift_id' in fields %} keyed_gifts.pair_raise_id is not null {% else %} false {% endif %}
    {%- if fields != ['gift_id'] %} or gifts_with_raise_ids.gift_id is not null {% endif %} as is_pair_usable,
    keyed_gifts.is_reversing,
    keyed_gifts.gift_url,
    keyed_gifts.amount,
    keyed_gifts.currency,
    keyed_gifts.base_currency,
    -- DuckDB gives the product of two short decimals 18 digits in all, and fails on more
    case
        when keyed_gifts.currency = keyed_gifts.base_currency then cast(keyed_gifts.amount as decimal(28, 10))
        else try_cast(cast(keyed_gifts.amount as decimal(38, 2)) * keyed_gifts.exchange_rate as decimal(28, 10))
    end as base_amount,
    try_cast(coalesce(cost_designations.signed_costs, 0) as decimal(18, 2)) as designated_costs,
    coalesce(
        try_cast(
            cast(cost_designations.signed_costs as decimal(38, 2))
            * case when keyed_gifts.currency = keyed_gifts.base_currency then 1 else keyed_gifts.exchange_rate end
            as decimal(28, 10)
        ),
        0
    ) as base_designated_costs,
    keyed_gifts.gift_date,
    keyed_gifts.created_at,
    coalesce(keyed_gifts.created_at, keyed_gifts.first_extracted_at) as made_at,
    coalesce(greatest(keyed_gifts.created_at, keyed_gifts.modified_at), keyed_gifts.first_extracted_at) as changed_at
from keyed_gifts
left join cost_designations
    on
        keyed_gifts.organization = cost_designations.organization
        and keyed_gifts.gift_id = cost_designations.gift_id
left join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        keyed_gifts.organization = contacts.organization
        and keyed_gifts.contact_id = contacts.contact_id
left join {{ ref('int_crm_plus__gift_contacts') }} as gift_contacts
    on
        keyed_gifts.organization = gift_contacts.organization
        and keyed_gifts.gift_id = gift_contacts.gift_id
{%- if fields != ['gift_id'] %}
    left join gifts_with_raise_ids
        on
            keyed_gifts.organization = gifts_with_raise_ids.organization
            and keyed_gifts.gift_id = gifts_with_raise_ids.gift_id
{%- endif %}
