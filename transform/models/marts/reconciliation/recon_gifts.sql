-- One row per Raise gift, and one per CRM+ gift that claims a Raise gift which Raise never showed.
{{ config(
    materialized='maintained_table',
    meta={'restated': ['as_of']},
    post_hook="{{ restate_as_of('gift') }}"
) }}
{%- set tolerance = var('amount_tolerance') %}
with assessability as (
    select
        organization,
        is_crm_plus_connected,
        as_of,
        donors_read_at,
        contacts_read_at,
        raise_read_at_of_entity as raise_gifts_read_at,
        crm_plus_read_at_of_entity as crm_gifts_read_at,
        is_assessable,
        is_assessable_without_contacts,
        not_assessable_reason
    from {{ ref('int_recon__assessability') }}
    where entity = 'gift'
),

statuses as (
    select
        code,
        nullif(severity, '') as severity,
        is_exception
    from {{ ref('recon_statuses') }}
    where entity = 'gift'
),

gifts as (
    select
        organization,
        gift_id,
        donor_id,
        amount,
        gift_date,
        status_text,
        status_group,
        campaign_name,
        recurring_gift_id,
        is_test_mode,
        is_deleted,
        deleted_at,
        coalesce(created_at, first_extracted_at) as created_at,
        coalesce(greatest(created_at, modified_at), extracted_at) as changed_at
    from {{ ref('stg_raise__gifts') }}
),

expectations as (
    select
        organization,
        record_id as gift_id,
        campaign_name,
        is_expected,
        campaign_evidence,
        case when campaign_evidence = 'unread' then unread_events end as unread_events
    from {{ ref('int_raise__giving_expectations') }}
    where entity = 'gift'
),

quarantined_gifts as (
    select
        organization,
        record_key as gift_id,
        above_key,
        below_key
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'raise' and resource = 'gifts'
),

unread_gifts as (
    select
        organization,
        record_key as gift_id,
        read_at
    from {{ ref('int_recon__unread_rows') }}
    where source = 'raise' and resource = 'gifts'
),

unreadable_gifts as (
    select
        organization,
        raise_id,
        contact_id,
        is_unidentified,
        is_reversing,
        made_before
    from {{ ref('int_crm_plus__unreadable_records') }}
    where resource = 'gifts'
),

unreadable_by_raise_id as (
    select distinct
        organization,
        raise_id
    from unreadable_gifts
    where raise_id is not null
),

-- a reversal may be the rest of a match, and never the gift itself
unreadable_by_contact as (
    select
        organization,
        contact_id,
        bool_and(is_reversing) as is_reversing
    from unreadable_gifts
    where contact_id is not null
    group by organization, contact_id
),

unreadable_by_nobody as (
    select
        organization,
        bool_and(is_reversing) as is_reversing,
        max(coalesce(made_before, 'infinity')) as made_before
    from unreadable_gifts
    where is_unidentified
    group by organization
),

candidate_counts as (
    select
        organization,
        raise_gift_id,
        count(*) filter (where not is_foreign) as candidate_count,
        list_sort(list(crm_gift_id) filter (where is_foreign)) as foreign_gift_ids
    from {{ ref('int_recon__gift_candidates') }}
    group by organization, raise_gift_id
),

-- gifts and reversals that would complete a match, if it were certain that they belong to it
possible_joiners as (
    select
        organization,
        raise_gift_id,
        list_sort(list(crm_gift_id)) as crm_gift_ids
    from {{ ref('int_recon__gift_joiners') }}
    where not is_unique
    group by organization, raise_gift_id
),

totals as not materialized (
    select *
    from {{ ref('int_recon__gift_totals') }}
),

-- where the key is unknown: contacts with CRM+ gifts from Raise that belong to no Raise gift yet
unexplained_contacts as (
    select distinct
        facts.organization,
        unnest(coalesce(facts.contact_ids, [facts.resolved_contact_id])) as contact_id
    from {{ ref('int_crm_plus__gift_facts') }} as facts
    inner join {{ ref('int_recon__gift_key_health') }} as key_health
        on
            facts.organization = key_health.organization
            and not key_health.is_key_trusted
    anti join {{ ref('int_recon__gift_matches') }} as matches
        on
            facts.organization = matches.organization
            and facts.gift_id = matches.crm_gift_id
    where facts.is_from_raise
),

gift_facts as (
    select
        gifts.organization,
        gifts.gift_id as raise_id,
        false as is_crm_plus_only,
        gifts.donor_id,
        donor_links.crm_id as contact_id,
        donor_links.disputed_contact_ids,
        donor_links.changed_at as donor_changed_at,
        donor_links.unread_since as donor_unread_since,
        case when not donor_links.has_crm_key then donor_links.references_changed_at end as references_changed_at,
        coalesce(donor_links.is_donor_quarantined, false) as is_donor_quarantined,
        donor_links.is_contact_quarantined as is_donor_contact_quarantined,
        gifts.amount,
        amounts.currency as raise_currency,
        amounts.base_currency as raise_base_currency,
        amounts.base_amount as raise_base_amount,
        coalesce(amounts.allocated_costs, 0) as allocated_costs,
        coalesce(amounts.base_allocated_costs, 0) as base_allocated_costs,
        unnamed_costs.amounts as possible_costs,
        unnamed_costs.base_amounts as possible_base_costs,
        gifts.gift_date,
        gifts.status_text,
        gifts.status_group,
        coalesce(expectations.campaign_name, gifts.campaign_name) as campaign,
        expectations.is_expected,
        expectations.campaign_evidence,
        expectations.unread_events,
        case when gifts.recurring_gift_id is null then 'one_time' else 'recurring' end as donation_kind,
        gifts.is_test_mode and not {{ var('include_test_mode') }} as is_test_mode,
        gifts.is_deleted,
        gifts.deleted_at,
        gifts.created_at as expected_since,
        gifts.changed_at as raise_changed_at,
        quarantined_gifts.gift_id is not null as is_raise_gift_quarantined,
        unreadable_by_raise_id.raise_id is not null
        or unreadable_by_contact.contact_id is not null
        or unreadable_by_nobody.organization is not null as may_have_unreadable_part_in_crm_plus,
        unreadable_by_raise_id.raise_id is not null
        or coalesce(not unreadable_by_contact.is_reversing, false)
        or coalesce(not unreadable_by_nobody.is_reversing, false) as may_be_unreadable_in_crm_plus,
        unreadable_by_raise_id.raise_id is not null as is_named_by_unreadable,
        gift_doubts.raise_gift_id is not null as may_be_unidentified_in_crm_plus,
        coalesce(candidate_counts.candidate_count, 0) as candidate_count,
        candidate_counts.foreign_gift_ids,
        possible_joiners.crm_gift_ids as possible_joiner_ids,
        unexplained_contacts.contact_id is not null as has_unexplained_gifts,
        totals.* exclude (organization, raise_gift_id, orphan_gift_id) -- noqa: RF02
    from gifts
    left join totals
        on
            gifts.organization = totals.organization
            and gifts.gift_id = totals.raise_gift_id
    left join {{ ref('int_raise__gift_amounts') }} as amounts
        on
            gifts.organization = amounts.organization
            and gifts.gift_id = amounts.gift_id
    left join {{ ref('int_recon__unnamed_costs') }} as unnamed_costs
        on
            gifts.organization = unnamed_costs.organization
            and gifts.gift_id = unnamed_costs.raise_gift_id
    left join {{ ref('int_raise__donor_links') }} as donor_links
        on
            gifts.organization = donor_links.organization
            and gifts.donor_id = donor_links.donor_id
    left join expectations
        on
            gifts.organization = expectations.organization
            and gifts.gift_id = expectations.gift_id
    left join candidate_counts
        on
            gifts.organization = candidate_counts.organization
            and gifts.gift_id = candidate_counts.raise_gift_id
    left join possible_joiners
        on
            gifts.organization = possible_joiners.organization
            and gifts.gift_id = possible_joiners.raise_gift_id
    left join {{ ref('int_recon__gift_doubts') }} as gift_doubts
        on
            gifts.organization = gift_doubts.organization
            and gifts.gift_id = gift_doubts.raise_gift_id
    left join quarantined_gifts
        on
            gifts.organization = quarantined_gifts.organization
            and gifts.gift_id = quarantined_gifts.gift_id
    left join unreadable_by_raise_id
        on
            gifts.organization = unreadable_by_raise_id.organization
            and gifts.gift_id = unreadable_by_raise_id.raise_id
    left join unreadable_by_contact
        on
            gifts.organization = unreadable_by_contact.organization
            and coalesce(donor_links.crm_id, totals.crm_contact_id) = unreadable_by_contact.contact_id
    left join unreadable_by_nobody
        on
            gifts.organization = unreadable_by_nobody.organization
            and gifts.created_at
            <= unreadable_by_nobody.made_before + interval 1 day * {{ var('date_tolerance_days') }}
    left join unexplained_contacts
        on
            gifts.organization = unexplained_contacts.organization
            and coalesce(donor_links.crm_id, totals.crm_contact_id) = unexplained_contacts.contact_id
),

-- orphans whose Raise gift is there, or may be there, and could not be read
hidden_originals as (
    select distinct
        totals.organization,
        totals.orphan_gift_id
    from totals
    inner join quarantined_gifts
        on
            totals.organization = quarantined_gifts.organization
            and coalesce(totals.pair_raise_id = quarantined_gifts.gift_id, quarantined_gifts.gift_id is null)
            and {{ may_stand_in_gap('totals.pair_raise_id', 'quarantined_gifts') }}
    where totals.orphan_gift_id is not null
    {%- if transaction_id_columns() != ['gift_id'] %}
        union distinct
        -- the text that would tie them is known of no gift of which no version was read
        select
            totals.organization,
            totals.orphan_gift_id
        from totals
        inner join quarantined_gifts on totals.organization = quarantined_gifts.organization
        anti join gifts
            on
                quarantined_gifts.organization = gifts.organization
                and quarantined_gifts.gift_id = gifts.gift_id
        where totals.orphan_gift_id is not null
    {%- endif %}
),

-- the same columns by name; what is said of Raise gifts only stays null
orphan_facts as (
    select
        totals.organization,
        true as is_crm_plus_only,
        totals.claimed_since as expected_since,
        hidden_originals.orphan_gift_id is not null as is_raise_gift_quarantined,
        totals.* exclude (organization, raise_gift_id, orphan_gift_id) -- noqa: RF02
    from totals
    left join hidden_originals
        on
            totals.organization = hidden_originals.organization
            and totals.orphan_gift_id = hidden_originals.orphan_gift_id
    where totals.orphan_gift_id is not null
),

facts as (
    select * from gift_facts
    union all by name
    select * from orphan_facts
),

timed_facts as (
    select
        facts.*,
        assessability.as_of,
        assessability.contacts_read_at,
        coalesce(unread_gifts.read_at, assessability.raise_gifts_read_at) as raise_gift_read_at,
        assessability.crm_gifts_read_at,
        coalesce(facts.donor_unread_since, assessability.donors_read_at) as donor_read_at,
        least(assessability.contacts_read_at, assessability.crm_gifts_read_at) as crm_contact_read_at,
        assessability.is_crm_plus_connected,
        coalesce(assessability.is_assessable, false) as is_assessable,
        coalesce(assessability.is_assessable_without_contacts, false) as is_assessable_without_contacts,
        assessability.not_assessable_reason,
        coalesce(key_health.is_key_trusted, true) as is_key_trusted,
        key_health.key_note,
        facts.crm_id is not null as has_match,
        {{ age_us('unread_gifts.read_at') }} as age_us,
        -- a currency that one side does not name is that of the other
        not coalesce(facts.has_several_currencies, false)
        and coalesce(facts.raise_currency = facts.currency, true) as is_same_currency
    from facts
    left join assessability on facts.organization = assessability.organization
    left join {{ ref('int_recon__gift_key_health') }} as key_health on facts.organization = key_health.organization
    left join unread_gifts
        on
            facts.organization = unread_gifts.organization
            and facts.raise_id = unread_gifts.gift_id
),

-- one currency for both sides: that of the gift, else the base currency
comparable_facts as (
    select
        *,
        case when is_same_currency then coalesce(raise_currency, currency) else base_currency end as compared_currency,
        {{ wide('case
            when is_same_currency then amount
            when raise_currency = base_currency then amount
            when raise_base_currency = base_currency then raise_base_amount
        end') }} as compared_amount,
        case
            when is_same_currency then allocated_costs
            when raise_currency = base_currency then allocated_costs
            else base_allocated_costs
        end as compared_allocated_costs,
        {{ wide('case when is_same_currency then net_amount else base_net_amount end') }} as compared_net,
        case
            when is_same_currency then list_zip(amounts, gift_costs)
            else list_zip(base_amounts, base_gift_costs)
        end as compared_amounts_and_costs,
        coalesce(case when is_same_currency then designated_costs else base_designated_costs end, 0)
            as named_designated_costs,
        case when is_same_currency then possible_costs else possible_base_costs end as compared_possible_costs
    from timed_facts
),

-- costs that nobody names are the one designation that is what CRM+ has beyond the amount
costed_facts as (
    select
        *,
        named_designated_costs = 0
        and compared_net > compared_amount + {{ tolerance }}
        and len(
            list_filter(
                compared_possible_costs,
                lambda x: abs(x - (compared_net - compared_amount)) <= {{ tolerance }} -- noqa: RF02
            )
        ) = 1 as is_surplus_taken_for_costs
    from comparable_facts
),

netted_facts as (
    select
        *,
        case
            when is_surplus_taken_for_costs then compared_net - compared_amount
            else named_designated_costs
        end as compared_designated_costs,
        case
            when compared_allocated_costs != 0 then compared_allocated_costs
            when is_surplus_taken_for_costs then compared_net - compared_amount
            else named_designated_costs
        end as covered_costs,
        -- a net of nothing is nothing in every currency
        abs(case when has_several_currencies then base_net_amount else net_amount end) <= {{ tolerance }} as is_net_zero,
        list_filter(
            resolved_contact_ids,
            lambda x: x != contact_id and not coalesce(list_contains(disputed_contact_ids, x), false) -- noqa: RF02
        ) as other_contact_ids,
        -- of few gifts: one of the contacts has to be the donor's
        flatten(
            list_filter(
                passthrough_contacts,
                lambda x:
                not list_contains(x, contact_id) -- noqa: RF02
                and not coalesce(list_has_any(x, disputed_contact_ids), false) -- noqa: RF02
            )
        ) as other_giver_ids
    from costed_facts
),

expected_facts as (
    select
        *,
        case
            when status_group = 'reversed' then 0
            -- a gift that never became money, and was taken back in CRM+
            when status_group = 'other' and is_net_zero then 0
            else compared_amount
        end as expected_net
    from netted_facts
),

-- what each rule of the contract asks, under the name it has there
conditions as (
    select
        *,
        {{ runs_no_crm_plus() }} as runs_no_crm_plus,
        -- where the transaction id decides, contacts do not
        not is_assessable
        and not coalesce(
            is_assessable_without_contacts and (is_crm_plus_only or evidence in ('override', 'transaction')),
            false
        ) as is_read_incomplete_or_stale,
        is_raise_gift_quarantined
        or coalesce(is_quarantined, false)
        or (not has_match and coalesce(is_named_by_unreadable, false))
        or (
            not has_match
            and coalesce(may_be_unreadable_in_crm_plus or may_be_unidentified_in_crm_plus, false)
            and status_group = 'settled'
            and coalesce(is_expected, true)
        ) as is_counterpart_unreadable,
        status_group = 'unknown' as is_status_unknown,
        has_match
        and not is_crm_plus_only
        and (compared_amount is null or compared_net is null) as is_incomparable,
        not has_match and (status_group in ('other', 'reversed')) as is_not_expected,
        not has_match
        and is_expected is null
        and status_group = 'settled' as is_expectation_unknown,
        -- with an unknown key, a gift whose contact is unknown or has unexplained gifts from Raise may well be there
        not has_match
        and not is_key_trusted
        and status_group = 'settled'
        and coalesce(is_expected, true)
        and age_us >= {{ var('late_after_hours') }} * 3600000000
        and (contact_id is null or candidate_count > 0 or has_unexplained_gifts) as is_key_needed,
        not has_match
        and foreign_gift_ids is not null
        and status_group = 'settled'
        and coalesce(is_expected, true)
        and age_us >= {{ var('late_after_hours') }} * 3600000000 as may_be_of_another_system,
        not has_match and not coalesce(is_expected, true) as is_sync_disabled,
        has_match and status_group = 'reversed' and not is_net_zero as is_refund_not_reversed,
        status_group = 'settled' and reversal_count > 0 and is_net_zero as is_reversal_without_refund,
        compared_net > expected_net + {{ tolerance }}
        and len(
            list_filter(
                compared_amounts_and_costs,
                lambda x:
                abs(x[1] - compared_amount) <= {{ tolerance }} -- noqa: RF02
                or abs(x[1] - compared_amount - compared_allocated_costs) <= {{ tolerance }} -- noqa: RF02
                or abs(x[1] - compared_amount - x[2]) <= {{ tolerance }} -- noqa: RF02
            )
        ) >= 2 as is_duplicate,
        has_match
        and abs(compared_net - expected_net) > {{ tolerance }}
        and abs(compared_net - expected_net - compared_allocated_costs) > {{ tolerance }}
        and abs(compared_net - expected_net - compared_designated_costs) > {{ tolerance }} as is_amount_mismatch,
        has_match
        and not is_donor_quarantined
        and contact_id is not null
        and (len(other_contact_ids) > 0 or len(other_giver_ids) > 0) as is_contact_mismatch,
        greatest(
            abs(gift_date - first_gift_date),
            abs(gift_date - last_gift_date)
        ) > {{ var('date_tolerance_days') }} as is_date_mismatch,
        has_match
        and not coalesce(has_moved_gift, false)
        and case when left_gift_ids is not null then len(left_gift_ids) else gift_count end > 1 as is_split,
        reversal_count > 0 and (coalesce(has_moved_gift, false) or left_gift_ids is not null) as is_moved,
        has_match and abs(compared_net - expected_net) > {{ tolerance }} as is_with_costs,
        {{ is_newer_than_crm_plus('raise_changed_at', 'raise_gift_read_at', 'crm_gifts_read_at') }}
        or changed_at > raise_gift_read_at
        -- of several CRM+ gifts, one may be gone since another came
        or (gift_count + reversal_count > 1 and changed_at > unread_since) as is_changed_after_other_read,
        {{ is_newer_than_crm_plus('donor_changed_at', 'donor_read_at', 'crm_contact_read_at') }}
        or changed_at > least(donor_read_at, contacts_read_at)
        -- a donor without a key is where the contact that names it is
        or references_changed_at > least(donor_read_at, crm_gifts_read_at) as is_contact_changed_after_other_read,
        {{ is_in_time() }} as is_in_time,
        {{ is_not_yet_missing() }} as is_not_yet_missing
    from expected_facts
),

-- a difference that may only be that one side was read before the other changed is none yet; neither is one of contacts
-- whose read is too old, or of which one could not be read
differences as (
    select
        *,
        is_changed_after_other_read
        and (
            is_refund_not_reversed
            or is_reversal_without_refund
            or is_duplicate
            or is_amount_mismatch
            or is_contact_mismatch
            or is_date_mismatch
        ) as is_difference_too_new,
        -- it may have been approved only then: CRM+ was not read after it should have arrived
        not has_match
        and status_group = 'settled'
        and coalesce(is_expected, true)
        and not is_in_time
        and raise_changed_at > crm_gifts_read_at as is_absence_too_new,
        -- what is missing in the match, a reversal or a part, may be what nobody could read
        (coalesce(may_have_unreadable_part_in_crm_plus, false) and (is_refund_not_reversed or is_amount_mismatch))
        -- or the gift that was entered again
        or (coalesce(may_be_unidentified_in_crm_plus, false) and is_reversal_without_refund) as is_missing_part_unreadable,
        possible_joiner_ids is not null
        and (is_refund_not_reversed or is_reversal_without_refund) as is_joiner_uncertain,
        is_contact_mismatch
        and (
            not is_assessable
            or is_donor_contact_quarantined
            or is_contact_quarantined
            or is_contact_changed_after_other_read
        )
        -- what comes first in the order of the statuses needs no contacts
        and not coalesce(
            is_refund_not_reversed or is_reversal_without_refund or is_duplicate or is_amount_mismatch, false
        ) as is_contact_uncertain,
        is_refund_not_reversed and not is_key_trusted and has_unexplained_gifts as is_reversal_unknown
    from conditions
),

-- the first that applies wins: the order is that of the contract
judged as (
    select
        *,
        case
            when is_test_mode then 'test_mode'
            when is_deleted then 'deleted'
            when runs_no_crm_plus then 'not_applicable'
            when is_read_incomplete_or_stale then 'not_assessable'
            when is_counterpart_unreadable then 'not_assessable'
            when is_status_unknown then 'not_assessable'
            when is_incomparable then 'not_assessable'
            when is_difference_too_new or is_absence_too_new then 'not_assessable'
            when is_missing_part_unreadable then 'not_assessable'
            when is_joiner_uncertain then 'not_assessable'
            when is_contact_uncertain then 'not_assessable'
            when is_expectation_unknown then 'not_assessable'
            when is_key_needed then 'not_assessable'
            when may_be_of_another_system then 'not_assessable'
            when is_reversal_unknown then 'not_assessable'
            when is_not_expected then 'not_expected'
            when is_sync_disabled then 'sync_disabled'
            when is_crm_plus_only and age_us < 0 then 'pending'
            when is_crm_plus_only then 'orphan'
            when not has_match and is_in_time then 'pending'
            when not has_match and is_not_yet_missing then 'late'
            when not has_match then 'missing'
            when is_refund_not_reversed then 'refund_not_reversed'
            when is_reversal_without_refund then 'reversal_without_refund'
            when is_duplicate then 'duplicate'
            when is_amount_mismatch then 'amount_mismatch'
            when is_contact_mismatch then 'contact_mismatch'
            when is_date_mismatch then 'date_mismatch'
            when is_split then 'matched_split'
            when is_with_costs then 'matched_with_costs'
            else 'matched'
        end as status
    from differences
),

explained as (
    select
        *,
        coalesce(' ' || compared_currency, '') as currency_text,
        case when len(crm_gift_ids) = 1 then 'CRM+ gift ' else 'CRM+ gifts ' end
        || array_to_string(crm_gift_ids, ', ') as crm_gifts_text,
        case evidence
            when 'override' then ' (matched by decision)'
            when 'donor_amount_date' then ' (matched by contact, amount and date)'
            when 'donor_sum_date' then ' (matched by contact, sum and date)'
            else ''
        end as match_text,
        case when not is_same_currency then ' in base currency' else '' end as base_text,
        case
            when compared_allocated_costs != 0 or coalesce(compared_designated_costs, 0) != 0
                then
                    ', and covered costs are ' || covered_costs || coalesce(' ' || compared_currency, '')
                    || case
                        when is_surplus_taken_for_costs
                            then ' (one designation is just that; no project says so, and it is taken for them)'
                        else ''
                    end
            else ''
        end as costs_text,
        {{ assumption_text('campaign_evidence') }} as assumption_text,
        case
            when candidate_count > 0
                then
                    ' CRM+ gifts without a usable transaction id have the same contact, amount and date (' || candidate_count
                    || '), but no pairing is unique.'
            when contact_id is null
                then ' The contact of the donor is not known, so that contact, amount and date could not be compared.'
            else ' No CRM+ gift on contact ' || contact_id || ' has that amount and date either.'
        end as search_text
    from judged
)

select
    explained.organization,
    explained.raise_id,
    case when not explained.runs_no_crm_plus then explained.crm_id end as crm_id,
    explained.status,
    case
        when explained.has_match and not explained.is_crm_plus_only and not explained.runs_no_crm_plus
            then explained.evidence
        else 'none'
    end as evidence,
    case
        when not explained.has_match or explained.is_crm_plus_only or explained.runs_no_crm_plus then null
        when explained.evidence in ('donor_amount_date', 'donor_sum_date') then 'medium'
        when explained.evidence = 'override' then 'exact'
        when explained.status in ('matched', 'matched_split', 'matched_with_costs') then 'exact'
        else 'high'
    end as confidence,
    case explained.status
        when 'test_mode'
            then 'The gift was made in test mode.'
        when 'deleted'
            then
                'Raise no longer returns the gift; it vanished by ' || {{ instant_text('explained.deleted_at') }} || '.'
                || case
                    when explained.has_match
                        then
                            ' CRM+ still has ' || explained.crm_gifts_text
                            || ', net ' || coalesce(explained.net_amount || '', 'unknown') || '.'
                    else ''
                end
        when 'not_applicable'
            then 'The organization does not run CRM+.'
        when 'not_assessable'
            then case
                when explained.is_read_incomplete_or_stale
                    then coalesce(explained.not_assessable_reason, 'Nothing is known about what was read.')
                when explained.is_raise_gift_quarantined and explained.is_crm_plus_only
                    then
                        explained.crm_gifts_text || ' names Raise transaction ' || explained.pair_key
                        || '; a Raise gift is in quarantine because it could not be read.'
                when explained.is_raise_gift_quarantined
                    then 'The gift is in quarantine: its present state could not be read.'
                when coalesce(explained.is_quarantined, false)
                    then explained.crm_gifts_text || ': one is in quarantine, so that its present state could not be read.'
                when explained.is_counterpart_unreadable and explained.may_be_unreadable_in_crm_plus
                    then 'No CRM+ gift was found, and a CRM+ gift that may be this one is in quarantine.'
                when explained.is_counterpart_unreadable
                    then
                        'A CRM+ gift without a transaction id of Raise may be this one: its contact, amount or date, or what'
                        || ' is known of the donor, could not be read.'
                when explained.is_status_unknown
                    then 'Raise does not say what became of the gift: it came without the text of its status.'
                when explained.is_incomparable
                    then
                        'Raise has '
                        || coalesce(explained.amount || coalesce(' ' || explained.raise_currency, ''), 'no amount')
                        || ', ' || explained.crm_gifts_text || ' ' || coalesce(explained.net_amount || '', 'no amount')
                        || coalesce(' ' || explained.currency, '')
                        || '; the amounts in a common base currency are not known on both sides.'
                when explained.is_difference_too_new
                    then
                        'The two sides differ, but one of them changed after the other was read, or so shortly before'
                        || ' that it need not show yet; Raise gifts were read at '
                        || {{ instant_text('explained.raise_gift_read_at') }} || ', CRM+ gifts at '
                        || {{ instant_text('explained.crm_gifts_read_at') }} || '.'
                when explained.is_absence_too_new
                    then
                        'No CRM+ gift was found, but Raise changed the gift after CRM+ was last read, at '
                        || {{ instant_text('explained.crm_gifts_read_at') }} || '.'
                when explained.is_missing_part_unreadable
                    then
                        explained.crm_gifts_text || explained.match_text || ' net '
                        || explained.compared_net || explained.currency_text || ' instead of ' || explained.expected_net
                        || ', and a CRM+ gift that may be the rest could not be read.'
                when explained.is_joiner_uncertain
                    then
                        explained.crm_gifts_text || explained.match_text || ' net '
                        || explained.compared_net || explained.currency_text || ' instead of ' || explained.expected_net
                        || '. What is missing may be CRM+ gift '
                        || array_to_string(explained.possible_joiner_ids, ' or ')
                        || case explained.status_group
                            when 'reversed'
                                then ': by contact, amount and date that is a reversal of this gift'
                            else ': by contact, amount and date that is this gift entered again'
                        end || ', but no pairing is unique.'
                when explained.is_contact_uncertain
                    then
                        'The gift seems to sit on another contact, but '
                        || coalesce(
                            'not all that decides was read: ' || explained.not_assessable_reason,
                            {{ contact_doubt_text('explained.is_contact_quarantined') }}
                        )
                when explained.is_expectation_unknown
                    then
                        {{ unknown_expectation_text('explained.campaign', 'the gift', 'explained.unread_events') }}
                when explained.may_be_of_another_system and not explained.is_key_needed
                    then
                        'No CRM+ gift names Raise for this one, but CRM+ gift '
                        || array_to_string(explained.foreign_gift_ids, ' or ')
                        || ' has its contact, amount and date, and a transaction id of another system.'
                when explained.has_unexplained_gifts
                    then
                        explained.key_note || ' Contact '
                        || coalesce(explained.contact_id, explained.crm_contact_id)
                        || ' has CRM+ gifts from Raise that belong to no Raise gift yet; '
                        || 'one of them may be this one or its reversal.'
                else explained.key_note || explained.search_text
            end
        when 'not_expected'
            then
                'Raise says "' || coalesce(explained.status_text, '') || '" and CRM+ has no such gift'
                || case explained.status_group
                    when 'reversed' then ': it was reversed before it got there.'
                    else ', nor should it.'
                end
        when 'sync_disabled'
            then
                'CRM+ has no such gift; the campaign' || coalesce(' "' || explained.campaign || '"', '')
                || ' was not syncing when it was made, ' || {{ instant_text('explained.expected_since') }} || '.'
                || explained.assumption_text
        when 'orphan'
            then
                explained.crm_gifts_text || ' (net ' || coalesce(explained.net_amount || '', 'unknown')
                || coalesce(' ' || explained.currency, '') || ') '
                || case when len(explained.crm_gift_ids) = 1 then 'names' else 'name' end
                || ' Raise transaction ' || explained.pair_key || ', which Raise never showed in a complete read.'
        when 'refund_not_reversed'
            then
                'Raise says "' || explained.status_text || '", and ' || explained.crm_gifts_text
                || explained.match_text || case when explained.compared_net < 0 then ' ' else ' still ' end
                || case when len(explained.crm_gift_ids) = 1 then 'stands' else 'stand' end
                || ' at ' || explained.compared_net || explained.currency_text || ' net'
                || case when explained.compared_net < 0 then ': more was reversed there than was given.' else '.' end
        when 'reversal_without_refund'
            then
                'Raise says "' || explained.status_text || '" for ' || explained.amount
                || coalesce(' ' || explained.raise_currency, '') || ', and ' || explained.crm_gifts_text
                || explained.match_text || ' were reversed to nothing.'
        when 'duplicate'
            then
                'Raise has ' || explained.compared_amount || explained.currency_text || explained.base_text || ' once; '
                || explained.crm_gifts_text || explained.match_text || ' carry it more than once, ' || explained.compared_net
                || explained.currency_text || ' net.'
        when 'amount_mismatch'
            then
                'Raise expects ' || explained.expected_net || explained.currency_text || explained.base_text
                || ', ' || explained.crm_gifts_text || explained.match_text || ' net ' || explained.compared_net
                || explained.currency_text || explained.costs_text || '; the difference is '
                || (explained.compared_net - explained.expected_net) || explained.currency_text || '.'
        when 'contact_mismatch'
            then
                'The donor is contact ' || explained.contact_id || ', and ' || explained.crm_gifts_text
                || explained.match_text || ' sits on contact '
                || array_to_string(
                    list_sort(
                        list_distinct(
                            list_concat(coalesce(explained.other_contact_ids, []), coalesce(explained.other_giver_ids, []))
                        )
                    ),
                    ', '
                )
                || ' (after merges).'
        when 'date_mismatch'
            then
                'Raise dates the gift ' || explained.gift_date || ', ' || explained.crm_gifts_text
                || explained.match_text || ' ' || explained.first_gift_date
                || case
                    when explained.last_gift_date != explained.first_gift_date then ' to ' || explained.last_gift_date
                    else ''
                end || '.'
        when 'matched_split'
            then
                explained.crm_gifts_text || explained.match_text || ' together are ' || explained.compared_net
                || explained.currency_text || explained.base_text || ', as Raise expects' || explained.costs_text || '.'
        when 'matched_with_costs'
            then
                explained.crm_gifts_text || explained.match_text || ' is ' || explained.compared_net
                || explained.currency_text || explained.base_text || ': the ' || explained.expected_net
                || explained.currency_text || ' of Raise' || explained.costs_text || '.'
        when 'matched'
            then
                explained.crm_gifts_text || explained.match_text || ' net ' || explained.compared_net
                || explained.currency_text || explained.base_text || ', as Raise expects'
                || case explained.status_group
                    when 'reversed'
                        then case
                            when explained.reversal_evidence = 'amount'
                                then
                                    ' after the reversal, which names no gift and is taken for that of this one by contact,'
                                    || ' amount and date.'
                            else ' after the reversal.'
                        end
                    when 'settled'
                        then case
                            when explained.is_moved
                                then
                                    ': the gift was moved, reversed on one contact and entered again on contact '
                                    || coalesce(explained.crm_contact_id || '', 'unknown') || '.'
                            else '.'
                        end
                    else '; Raise says "' || coalesce(explained.status_text, '') || '".'
                end
        else case
            when explained.is_crm_plus_only
                then
                    explained.crm_gifts_text || ' names Raise transaction ' || explained.pair_key
                    || ' and is newer than the last complete read of Raise gifts.'
            else
                'No CRM+ gift carries the id of this gift of ' || coalesce(explained.amount || '', 'an unknown amount')
                || coalesce(' ' || explained.raise_currency, '') || '; expected since '
                || {{ instant_text('explained.expected_since') }}
                || coalesce(' in campaign "' || nullif(explained.campaign, '') || '"', '') || '.'
                || explained.search_text || explained.assumption_text
                || coalesce(' ' || explained.key_note, '')
        end
    end as cause,
    statuses.severity,
    statuses.is_exception,
    explained.expected_since,
    {{ age_hours('explained.status', 'explained.age_us') }} as age_hours,
    explained.amount as raise_amount,
    case
        when explained.runs_no_crm_plus then null
        when explained.has_several_currencies then explained.base_net_amount
        else explained.net_amount
    end as crm_amount,
    explained.crm_url,
    explained.as_of,
    explained.donor_id,
    explained.contact_id,
    case when not explained.runs_no_crm_plus then explained.crm_contact_id end as crm_contact_id,
    case when explained.runs_no_crm_plus then [] else coalesce(explained.crm_gift_ids, []) end as crm_gift_ids,
    explained.gift_date,
    case when not explained.runs_no_crm_plus then explained.first_gift_date end as crm_gift_date,
    explained.status_text,
    explained.campaign,
    explained.donation_kind,
    try_cast(case when explained.is_crm_plus_only then null else coalesce(explained.covered_costs, 0) end as decimal(18, 2))
        as covered_costs,
    case when explained.has_match and not explained.runs_no_crm_plus then explained.reversal_evidence end
        as reversal_evidence,
    try_cast(case when explained.has_match then explained.expected_net end as decimal(18, 2)) as expected_net_amount,
    try_cast(case when explained.has_match then explained.compared_net end as decimal(18, 2)) as compared_net_amount,
    try_cast(case when explained.has_match then explained.compared_amount end as decimal(18, 2)) as compared_amount,
    case when explained.has_match then explained.compared_currency end as compared_currency,
    explained.raise_currency,
    explained.currency as crm_currency
from explained
left join statuses on explained.status = statuses.code
where not (explained.is_crm_plus_only and explained.runs_no_crm_plus)
