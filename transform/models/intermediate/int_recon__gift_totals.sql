-- The CRM+ side of each match, and of each orphan, in one row.
{{ config(materialized='maintained_table') }}
with quarantined_gifts as (
    select distinct
        organization,
        record_key as gift_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'gifts' and record_key is not null
),

unread_gifts as (
    select
        organization,
        record_key as gift_id,
        read_at
    from {{ ref('int_recon__unread_rows') }}
    where source = 'crm_plus' and resource = 'gifts'
),

matched_gifts as (
    select
        matches.raise_gift_id,
        matches.orphan_gift_id,
        matches.evidence,
        matches.reversal_evidence,
        matches.is_moved,
        facts.*,
        quarantined_gifts.gift_id is not null as is_quarantined,
        unread_gifts.read_at as unread_since
    from {{ ref('int_recon__gift_matches') }} as matches
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            matches.organization = facts.organization
            and matches.crm_gift_id = facts.gift_id
    left join quarantined_gifts
        on
            matches.organization = quarantined_gifts.organization
            and matches.crm_gift_id = quarantined_gifts.gift_id
    left join unread_gifts
        on
            matches.organization = unread_gifts.organization
            and matches.crm_gift_id = unread_gifts.gift_id
),

shared_matches as (
    select
        organization,
        raise_gift_id,
        orphan_gift_id
    from matched_gifts
    group by organization, raise_gift_id, orphan_gift_id
    having count(*) > 1
),

counted_gifts as (
    select
        matched_gifts.*,
        shared_matches.organization is not null as is_shared
    from matched_gifts
    left join shared_matches
        on
            matched_gifts.organization = shared_matches.organization
            and matched_gifts.raise_gift_id is not distinct from shared_matches.raise_gift_id
            and matched_gifts.orphan_gift_id is not distinct from shared_matches.orphan_gift_id
),

-- most matches are of one gift, which says itself what is gathered of several below, in a third of the time
single_totals as (
    select
        organization,
        raise_gift_id,
        orphan_gift_id,
        evidence,
        gift_id as crm_id,
        [gift_id] as crm_gift_ids,
        case when is_reversing then 0 else 1 end as gift_count,
        case when is_reversing then 1 else 0 end as reversal_count,
        reversal_evidence,
        false as has_moved_gift,
        null as amounts,
        null as base_amounts,
        null as gift_costs,
        null as base_gift_costs,
        amount as net_amount,
        -- to round a number of more than 18 digits takes a microsecond (DuckDB 1.5.5, 2026-11-27)
        case
            when base_amount = amount then amount
            else try_cast(base_amount as decimal(18, 2))
        end as base_net_amount,
        case when not is_reversing then amount end as gross_amount,
        case when not is_reversing then base_net_amount end as base_gross_amount,
        try_cast(designated_costs as decimal(18, 2)) as designated_costs,
        case
            when base_designated_costs = 0 then 0
            else try_cast(base_designated_costs as decimal(18, 2))
        end as base_designated_costs,
        currency,
        false as has_several_currencies,
        base_currency,
        coalesce(resolved_contact_id, contact_id) as crm_contact_id,
        case when contact_ids is null and resolved_contact_id is not null then [resolved_contact_id] end
            as resolved_contact_ids,
        case when contact_ids is not null then [contact_ids] end as passthrough_contacts,
        is_contact_quarantined,
        null as left_gift_ids,
        -- an orphan that is a reversal has no other date
        case when not is_reversing or gift_id = orphan_gift_id then gift_date end as first_gift_date,
        case when not is_reversing or gift_id = orphan_gift_id then gift_date end as last_gift_date,
        case when starts_with(gift_url, 'http') then gift_url end as crm_url,
        changed_at,
        case when gift_id = orphan_gift_id then made_at end as claimed_since,
        pair_key_without_part as pair_key,
        pair_raise_id,
        is_quarantined,
        unread_since
    from counted_gifts
    where not is_shared
),

-- per contact of a match: what was taken back there does not count, whether the reversal names the givers or not
contact_nets as (
    select
        *,
        {{ is_net_zero('of_contact') }} or {{ is_net_zero('of_contacts') }} as is_taken_back
    from counted_gifts
    where is_shared
    window
        of_contact as (
            partition by organization, raise_gift_id, orphan_gift_id, coalesce(resolved_contact_id, contact_id)
        ),
        of_contacts as (
            partition by
                organization, raise_gift_id, orphan_gift_id, coalesce(resolved_contact_id, contact_id), contact_ids
        )
),

left_gifts as (
    select
        *,
        -- all taken back: they are what there was
        not is_reversing
        and (
            not is_taken_back
            or not bool_or(not is_reversing and not is_taken_back)
                over (partition by organization, raise_gift_id, orphan_gift_id)
        ) as is_left
    from contact_nets
),

-- Lists that are sorted while they are collected, and counts of distinct values, take five times the time and three
-- times the memory of these where there are a million groups (DuckDB 1.5.5, 2026-11-22).
gathered_gifts as (
    select
        organization,
        raise_gift_id,
        orphan_gift_id,
        case
            when bool_or(evidence = 'override') then 'override'
            -- donor_amount_date, donor_sum_date, transaction: in the order of the alphabet
            else max(evidence)
        end as evidence,
        coalesce(min(gift_id) filter (where not is_reversing), min(gift_id)) as crm_id,
        -- structs sort by their first field
        list_sort(
            list(
                struct_pack(
                    gift_id := gift_id,
                    is_reversing := is_reversing,
                    amount := amount,
                    base_amount := base_amount,
                    costs := designated_costs,
                    base_costs := base_designated_costs
                )
            )
        ) as crm_gifts,
        count(*) filter (where not is_reversing) as gift_count,
        count(*) filter (where is_reversing) as reversal_count,
        -- amount, named, pair: in the order of the alphabet
        min(reversal_evidence) as reversal_evidence,
        coalesce(bool_or(is_moved), false) as has_moved_gift,
        try_cast(sum(amount) filter (where not is_reversing) as decimal(18, 2)) as gross_amount,
        try_cast(sum(base_amount) filter (where not is_reversing) as decimal(18, 2)) as base_gross_amount,
        case when count(*) = count(amount) then try_cast(sum(amount) as decimal(18, 2)) end as net_amount,
        case when count(*) = count(base_amount) then try_cast(sum(base_amount) as decimal(18, 2)) end as base_net_amount,
        try_cast(sum(designated_costs) as decimal(18, 2)) as designated_costs,
        try_cast(sum(base_designated_costs) as decimal(18, 2)) as base_designated_costs,
        min(currency) as first_currency,
        max(currency) as last_currency,
        min(base_currency) as first_base_currency,
        max(base_currency) as last_base_currency,
        coalesce(
            arg_min(coalesce(resolved_contact_id, contact_id), gift_id) filter (where is_left),
            arg_min(coalesce(resolved_contact_id, contact_id), gift_id)
        ) as crm_contact_id,
        list_sort(
            list_distinct(list(resolved_contact_id) filter (where not is_taken_back and contact_ids is null))
        ) as resolved_contact_ids,
        list_sort(list_distinct(list(contact_ids) filter (where not is_taken_back and contact_ids is not null)))
            as passthrough_contacts,
        bool_or(is_contact_quarantined) as is_contact_quarantined,
        list_sort(list(gift_id) filter (where is_left)) as left_gift_ids,
        min(gift_date) filter (where is_left) as first_gift_date,
        max(gift_date) filter (where is_left) as last_gift_date,
        min(case when starts_with(gift_url, 'http') then gift_url end) as crm_url,
        max(changed_at) as changed_at,
        any_value(made_at) filter (where gift_id = orphan_gift_id) as claimed_since,
        min(pair_key_without_part) as pair_key,
        min(pair_raise_id) as pair_raise_id,
        bool_or(is_quarantined) as is_quarantined,
        min(unread_since) as unread_since
    from left_gifts
    group by organization, raise_gift_id, orphan_gift_id
),

listed_gifts as (
    select
        *,
        list_filter(crm_gifts, lambda gift: not gift.is_reversing) as counting_gifts
    from gathered_gifts
),

joint_totals as (
    select
        organization,
        raise_gift_id,
        orphan_gift_id,
        evidence,
        crm_id,
        list_transform(crm_gifts, lambda gift: gift.gift_id) as crm_gift_ids,
        gift_count,
        reversal_count,
        reversal_evidence,
        has_moved_gift,
        nullif(list_transform(counting_gifts, lambda gift: gift.amount), []) as amounts,
        nullif(list_transform(counting_gifts, lambda gift: gift.base_amount), []) as base_amounts,
        nullif(list_transform(counting_gifts, lambda gift: gift.costs), []) as gift_costs,
        nullif(list_transform(counting_gifts, lambda gift: gift.base_costs), []) as base_gift_costs,
        gross_amount,
        base_gross_amount,
        net_amount,
        base_net_amount,
        designated_costs,
        base_designated_costs,
        -- a currency that is not said is that of the others
        case when first_currency = last_currency then first_currency end as currency,
        coalesce(first_currency != last_currency, false) as has_several_currencies,
        case when first_base_currency = last_base_currency then first_base_currency end as base_currency,
        crm_contact_id,
        nullif(resolved_contact_ids, []) as resolved_contact_ids,
        nullif(passthrough_contacts, []) as passthrough_contacts,
        is_contact_quarantined,
        case when len(left_gift_ids) < gift_count then left_gift_ids end as left_gift_ids,
        first_gift_date,
        last_gift_date,
        crm_url,
        changed_at,
        claimed_since,
        pair_key,
        pair_raise_id,
        is_quarantined,
        unread_since
    from listed_gifts
)

select * from joint_totals
union all by name
select * from single_totals
