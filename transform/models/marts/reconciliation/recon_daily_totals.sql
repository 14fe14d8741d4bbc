-- Both sides by day, campaign and currency. A match stands on one day, that of Raise, with all its CRM+ gifts and their
-- reversals, so that it balances or not as a whole. Statuses are those of recon_gifts; nothing is judged anew.
with statuses as (
    select
        code,
        status_group
    from {{ ref('recon_statuses') }}
    where entity = 'gift'
),

raise_gifts as (
    select
        organization,
        gift_id,
        status_group,
        not is_deleted and (not is_test_mode or {{ var('include_test_mode') }}) as is_counted
    from {{ ref('stg_raise__gifts') }}
),

matches as (
    select
        gifts.organization,
        gifts.raise_id,
        gifts.crm_id,
        coalesce(gifts.gift_date, gifts.crm_gift_date) as gift_date,
        {{ clean_text('gifts.campaign') }} as campaign,
        gifts.is_exception,
        -- contact and date come after the amount in the order of the statuses: there the amounts agree
        case
            when statuses.status_group != 'wrong' then statuses.status_group
            when gifts.status in ('contact_mismatch', 'date_mismatch') then 'linked'
            else 'wrong'
        end as reading,
        gifts.raise_amount,
        gifts.raise_currency,
        gifts.expected_net_amount,
        gifts.compared_amount,
        gifts.compared_currency,
        -- what never became money counts once CRM+ has it: recon_gifts then compares it
        coalesce(
            raise_gifts.is_counted
            and (raise_gifts.status_group in ('settled', 'reversed') or gifts.crm_id is not null),
            false
        ) as is_raise_money,
        raise_gifts.status_group = 'reversed' as is_reversed,
        case when gifts.compared_currency is not null then gifts.compared_net_amount end as compared_net_amount,
        gifts.crm_amount
    from {{ ref('recon_gifts') }} as gifts
    left join statuses on gifts.status = statuses.code
    left join raise_gifts
        on
            gifts.organization = raise_gifts.organization
            and gifts.raise_id = raise_gifts.gift_id
),

-- as it was compared, else in the gift's own currency
raise_grosses as (
    select
        *,
        case
            when compared_amount is not null then compared_currency
            else coalesce(raise_currency, compared_currency)
        end as currency,
        case
            when not is_raise_money then 0
            else coalesce(compared_amount, raise_amount)
        end as gross_amount
    from matches
    where raise_id is not null
),

crm_nets as (
    select
        matches.*,
        totals.gift_count,
        totals.gross_amount,
        totals.base_gross_amount,
        coalesce(matches.compared_net_amount, matches.crm_amount) as crm_net_amount,
        totals.has_several_currencies
        or coalesce(matches.compared_net_amount is not null and totals.currency != matches.compared_currency, false)
            as is_in_base,
        case when matches.compared_net_amount is not null then matches.compared_currency else totals.currency end as currency
    from matches
    inner join {{ ref('int_recon__gift_totals') }} as totals
        on
            matches.organization = totals.organization
            and matches.crm_id = totals.crm_id
),

crm_grosses as (
    select
        * replace (
            case
                when crm_net_amount is null then null
                when is_in_base then coalesce(base_gross_amount, 0)
                else coalesce(gross_amount, 0)
            end as gross_amount
        )
    from crm_nets
),

-- each record once as a record, and each of its sides where its currency is
sides as (
    select
        organization,
        gift_date,
        campaign,
        currency,
        reading,
        1 as records,
        is_exception,
        case when is_raise_money then 1 else 0 end as raise_count,
        gross_amount as raise_gross_amount,
        case when is_reversed or expected_net_amount = 0 then gross_amount else 0 end as raise_reversed_amount,
        0 as crm_count,
        cast(0 as decimal(18, 2)) as crm_gross_amount,
        cast(0 as decimal(18, 2)) as crm_net_amount
    from raise_grosses
    union all
    select
        organization,
        gift_date,
        campaign,
        currency,
        reading,
        case when raise_id is null then 1 else 0 end as records,
        is_exception and raise_id is null as is_exception,
        0 as raise_count,
        0 as raise_gross_amount,
        0 as raise_reversed_amount,
        gift_count as crm_count,
        try_cast(gross_amount as decimal(18, 2)) as crm_gross_amount,
        crm_net_amount
    from crm_grosses
),

differences as (
    select
        *,
        coalesce(raise_gross_amount - raise_reversed_amount, 0) - coalesce(crm_net_amount, 0) as difference
    from sides
),

totals as (
    select
        organization,
        gift_date,
        campaign,
        currency,
        sum(records) as records,
        count(*) filter (where is_exception) as exceptions,
        sum(raise_count) as raise_count,
        coalesce(sum(raise_gross_amount), 0) as raise_gross_amount,
        coalesce(sum(raise_reversed_amount), 0) as raise_reversed_amount,
        sum(crm_count) as crm_count,
        coalesce(sum(crm_gross_amount), 0) as crm_gross_amount,
        coalesce(sum(crm_net_amount), 0) as crm_net_amount,
        sum(difference) as variance,
        {% for reading in ['linked', 'waiting', 'not counted', 'not assessed', 'wrong'] -%}
            coalesce(sum(difference) filter (where reading = '{{ reading }}'), 0)
                as {{ reading | replace(' ', '_') }}_amount,
        {% endfor -%}
        bool_or(reading = 'not assessed') as has_not_assessed
    from differences
    group by organization, gift_date, campaign, currency
),

compared as (
    select
        totals.*,
        assessability.as_of,
        -- without CRM+ there is nothing to compare; with it unknown nothing is claimed
        coalesce(assessability.is_crm_plus_connected, false) as has_crm_plus,
        coalesce(assessability.is_crm_plus_connected, true) as may_have_crm_plus
    from totals
    left join {{ ref('int_recon__assessability') }} as assessability
        on
            totals.organization = assessability.organization
            and assessability.entity = 'gift'
)

select
    organization,
    gift_date,
    campaign,
    currency,
    cast(records as bigint) as records,
    exceptions,
    cast(raise_count as bigint) as raise_count,
    try_cast(raise_gross_amount as decimal(18, 2)) as raise_gross_amount,
    try_cast(raise_reversed_amount as decimal(18, 2)) as raise_reversed_amount,
    try_cast(raise_gross_amount - raise_reversed_amount as decimal(18, 2)) as raise_net_amount,
    cast(case when may_have_crm_plus then crm_count end as bigint) as crm_count,
    try_cast(case when may_have_crm_plus then crm_gross_amount end as decimal(18, 2)) as crm_gross_amount,
    try_cast(case when may_have_crm_plus then crm_gross_amount - crm_net_amount end as decimal(18, 2))
        as crm_reversed_amount,
    try_cast(case when may_have_crm_plus then crm_net_amount end as decimal(18, 2)) as crm_net_amount,
    try_cast(case when may_have_crm_plus then variance end as decimal(18, 2)) as variance,
    try_cast(case when may_have_crm_plus then linked_amount end as decimal(18, 2)) as covered_costs_amount,
    try_cast(case when may_have_crm_plus then waiting_amount end as decimal(18, 2)) as waiting_amount,
    try_cast(case when may_have_crm_plus then not_counted_amount end as decimal(18, 2)) as not_expected_amount,
    try_cast(case when may_have_crm_plus then not_assessed_amount end as decimal(18, 2)) as not_assessed_amount,
    try_cast(case when may_have_crm_plus then wrong_amount end as decimal(18, 2)) as unexplained_amount,
    case
        when has_crm_plus and not has_not_assessed then abs(wrong_amount) <= {{ var('amount_tolerance') }}
    end as is_balanced,
    as_of
from compared
