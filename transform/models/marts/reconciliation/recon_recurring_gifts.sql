-- One row per Raise schedule, and one per CRM+ schedule that claims a Raise schedule which Raise never showed.
{{ config(
    materialized='maintained_table',
    meta={'restated': ['as_of']},
    post_hook="{{ restate_as_of('recurring_gift') }}"
) }}
{%- set tolerance = var('amount_tolerance') %}
with assessability as (
    select
        organization,
        is_crm_plus_connected,
        as_of,
        donors_read_at,
        contacts_read_at,
        raise_read_at_of_entity as raise_schedules_read_at,
        crm_plus_read_at_of_entity as crm_schedules_read_at,
        is_assessable,
        not_assessable_reason
    from {{ ref('int_recon__assessability') }}
    where entity = 'recurring_gift'
),

statuses as (
    select
        code,
        nullif(severity, '') as severity,
        is_exception
    from {{ ref('recon_statuses') }}
    where entity = 'recurring_gift'
),

expectations as (
    select
        organization,
        record_id as recurring_gift_id,
        campaign_name,
        is_expected,
        campaign_evidence,
        case when campaign_evidence = 'unread' then unread_events end as unread_events
    from {{ ref('int_raise__giving_expectations') }}
    where entity = 'recurring_gift'
),

quarantine as (
    select
        organization,
        source,
        record_key,
        above_key,
        below_key
    from {{ ref('int_recon__open_quarantine') }}
    where resource = 'recurring_gifts'
),

unread_schedules as (
    select
        organization,
        record_key as recurring_gift_id,
        read_at
    from {{ ref('int_recon__unread_rows') }}
    where source = 'raise' and resource = 'recurring_gifts'
),

unreadable_schedules as (
    select
        organization,
        record_key,
        raise_id,
        is_unidentified,
        made_before
    from {{ ref('int_crm_plus__unreadable_records') }}
    where resource = 'recurring_gifts'
),

unreadable_by_raise_id as (
    select distinct
        organization,
        raise_id
    from unreadable_schedules
    where raise_id is not null
),

unreadable_by_nobody as (
    select
        organization,
        max(coalesce(made_before, 'infinity')) as made_before
    from unreadable_schedules
    where is_unidentified or record_key is null
    group by organization
),

crm_schedules as (
    select *
    from {{ ref('int_crm_plus__schedule_facts') }}
),

matches as (
    select *
    from {{ ref('int_recon__schedule_matches') }}
),

schedule_facts as (
    select
        schedules.organization,
        schedules.recurring_gift_id as raise_id,
        false as is_crm_plus_only,
        matches.crm_schedule_id as crm_id,
        matches.evidence,
        matches.confidence,
        schedules.donor_id,
        donor_links.crm_id as contact_id,
        donor_links.disputed_contact_ids,
        donor_links.changed_at as donor_changed_at,
        donor_links.unread_since as donor_unread_since,
        case when not donor_links.has_crm_key then donor_links.references_changed_at end as references_changed_at,
        coalesce(donor_links.is_donor_quarantined, false) as is_donor_quarantined,
        donor_links.is_contact_quarantined as is_donor_contact_quarantined,
        coalesce(crm_schedules.resolved_contact_id, crm_schedules.contact_id) as crm_contact_id,
        crm_schedules.resolved_contact_id as crm_resolved_contact_id,
        crm_schedules.is_contact_quarantined as is_crm_contact_quarantined,
        schedules.crm_key,
        schedules.has_crm_key,
        schedules.crm_key_recurring_gift_id,
        schedules.other_live_ids_with_key,
        schedules.status_text,
        schedules.is_ended,
        schedules.ended_by,
        crm_schedules.status as crm_status_text,
        crm_schedules.is_ended as crm_is_ended,
        crm_schedules.cancelled_at as crm_cancelled_at,
        coalesce(schedules.formatted_frequency, cast(schedules.frequency as varchar)) as frequency_text,
        schedules.payments_per_year,
        crm_schedules.frequency as crm_frequency_text,
        crm_schedules.payments_per_year as crm_payments_per_year,
        schedules.amount,
        schedules.covered_costs,
        schedules.currency,
        schedules.is_foreign_currency,
        crm_schedules.amount as crm_amount,
        coalesce(expectations.campaign_name, schedules.campaign_name) as campaign,
        expectations.is_expected,
        expectations.campaign_evidence,
        expectations.unread_events,
        schedules.is_test_mode and not {{ var('include_test_mode') }} as is_test_mode,
        schedules.is_deleted,
        schedules.deleted_at,
        schedules.created_at as expected_since,
        schedules.changed_at as raise_changed_at,
        crm_schedules.changed_at as crm_changed_at,
        schedules.crm_url,
        raise_quarantine.record_key is not null as is_raise_schedule_quarantined,
        crm_quarantine.record_key is not null as is_crm_schedule_quarantined,
        unreadable_by_raise_id.raise_id is not null
        or unreadable_by_nobody.organization is not null as may_be_unreadable_in_crm_plus,
        unreadable_by_raise_id.raise_id is not null as is_named_by_unreadable
    from {{ ref('int_raise__schedule_facts') }} as schedules
    left join matches
        on
            schedules.organization = matches.organization
            and schedules.recurring_gift_id = matches.raise_schedule_id
    left join crm_schedules
        on
            matches.organization = crm_schedules.organization
            and matches.crm_schedule_id = crm_schedules.recurring_gift_id
    left join {{ ref('int_raise__donor_links') }} as donor_links
        on
            schedules.organization = donor_links.organization
            and schedules.donor_id = donor_links.donor_id
    left join expectations
        on
            schedules.organization = expectations.organization
            and schedules.recurring_gift_id = expectations.recurring_gift_id
    left join quarantine as raise_quarantine
        on
            raise_quarantine.source = 'raise'
            and schedules.organization = raise_quarantine.organization
            and schedules.recurring_gift_id = raise_quarantine.record_key
    left join quarantine as crm_quarantine
        on
            crm_quarantine.source = 'crm_plus'
            and schedules.organization = crm_quarantine.organization
            and coalesce(matches.crm_schedule_id, schedules.crm_key_recurring_gift_id) = crm_quarantine.record_key
    left join unreadable_by_raise_id
        on
            schedules.organization = unreadable_by_raise_id.organization
            and schedules.recurring_gift_id = unreadable_by_raise_id.raise_id
    left join unreadable_by_nobody
        on
            schedules.organization = unreadable_by_nobody.organization
            and schedules.created_at <= unreadable_by_nobody.made_before
),

known_raise_schedules as (
    select
        organization,
        recurring_gift_id
    from {{ ref('int_raise__schedule_facts') }}
),

unexplained_claims as (
    select crm_schedules.*
    from crm_schedules
    anti join known_raise_schedules
        on
            crm_schedules.organization = known_raise_schedules.organization
            and crm_schedules.pair_raise_id = known_raise_schedules.recurring_gift_id
    anti join matches
        on
            crm_schedules.organization = matches.organization
            and crm_schedules.recurring_gift_id = matches.crm_schedule_id
    where crm_schedules.is_from_raise
),

-- claims whose Raise schedule is there, or may be there, and could not be read
hidden_originals as (
    select distinct
        claims.organization,
        claims.recurring_gift_id as crm_id
    from unexplained_claims as claims
    inner join quarantine
        on
            quarantine.source = 'raise'
            and claims.organization = quarantine.organization
            and coalesce(claims.pair_raise_id = quarantine.record_key, quarantine.record_key is null)
            and {{ may_stand_in_gap('claims.pair_raise_id', 'quarantine') }}
),

-- the same columns by name; what is said of Raise schedules only stays null
orphan_facts as (
    select
        claims.organization,
        true as is_crm_plus_only,
        claims.recurring_gift_id as crm_id,
        claims.pair_raise_id,
        coalesce(claims.resolved_contact_id, claims.contact_id) as crm_contact_id,
        claims.status as crm_status_text,
        claims.is_ended as crm_is_ended,
        claims.frequency as crm_frequency_text,
        claims.payments_per_year as crm_payments_per_year,
        claims.amount as crm_amount,
        claims.made_at as expected_since,
        hidden_originals.crm_id is not null as is_raise_schedule_quarantined,
        crm_quarantine.record_key is not null as is_crm_schedule_quarantined
    from unexplained_claims as claims
    left join hidden_originals
        on
            claims.organization = hidden_originals.organization
            and claims.recurring_gift_id = hidden_originals.crm_id
    left join quarantine as crm_quarantine
        on
            crm_quarantine.source = 'crm_plus'
            and claims.organization = crm_quarantine.organization
            and claims.recurring_gift_id = crm_quarantine.record_key
),

facts as (
    select * from schedule_facts
    union all by name
    select * from orphan_facts
),

timed_facts as (
    select
        facts.*,
        assessability.as_of,
        coalesce(unread_schedules.read_at, assessability.raise_schedules_read_at) as raise_schedule_read_at,
        assessability.crm_schedules_read_at,
        assessability.contacts_read_at,
        coalesce(facts.donor_unread_since, assessability.donors_read_at) as donor_read_at,
        least(assessability.contacts_read_at, assessability.crm_schedules_read_at) as crm_contact_read_at,
        assessability.is_crm_plus_connected,
        coalesce(assessability.is_assessable, false) as is_assessable,
        assessability.not_assessable_reason,
        facts.crm_id is not null as has_match,
        {{ age_us('unread_schedules.read_at') }} as age_us
    from facts
    left join assessability on facts.organization = assessability.organization
    left join unread_schedules
        on
            facts.organization = unread_schedules.organization
            and facts.raise_id = unread_schedules.recurring_gift_id
),

-- what each rule of the contract asks, under the name it has there
conditions as (
    select
        *,
        {{ runs_no_crm_plus() }} as runs_no_crm_plus,
        not is_assessable as is_read_incomplete_or_stale,
        has_crm_key and crm_key_recurring_gift_id is null as is_foreign_key,
        crm_key_recurring_gift_id is not null and not has_match as is_dangling,
        len(other_live_ids_with_key) > 0 as is_duplicate,
        is_ended
        and ended_by <= expected_since + interval '1 hour' * {{ var('late_after_hours') }} as is_ended_at_once,
        not coalesce(is_expected, true) as is_campaign_off,
        is_ended != crm_is_ended as is_state_mismatch,
        -- CRM+ names no currency: in a foreign one a difference proves nothing
        not is_foreign_currency
        and abs({{ wide('amount') }} - crm_amount) > {{ tolerance }}
        and abs({{ wide('amount') }} + covered_costs - crm_amount) > {{ tolerance }} as is_amount_mismatch,
        payments_per_year != crm_payments_per_year as is_frequency_mismatch,
        not is_donor_quarantined
        and crm_resolved_contact_id != contact_id
        and not coalesce(list_contains(disputed_contact_ids, crm_resolved_contact_id), false) as is_contact_mismatch,
        {{ is_newer_than_crm_plus('raise_changed_at', 'raise_schedule_read_at', 'crm_schedules_read_at') }}
        or crm_changed_at > raise_schedule_read_at as is_changed_after_other_read,
        {{ is_newer_than_crm_plus('donor_changed_at', 'donor_read_at', 'crm_contact_read_at') }}
        or crm_changed_at > least(donor_read_at, contacts_read_at)
        -- a donor without a key is where the contact that names it is
        or references_changed_at > least(donor_read_at, crm_schedules_read_at) as is_contact_changed_after_other_read,
        {{ is_in_time() }} as is_in_time,
        {{ is_not_yet_missing() }} as is_not_yet_missing
    from timed_facts
),

doubts as (
    select
        *,
        is_raise_schedule_quarantined
        or (is_crm_schedule_quarantined and not coalesce(is_foreign_key, false))
        or (not has_match and not is_foreign_key and coalesce(is_named_by_unreadable, false))
        or (
            not has_match
            and coalesce(may_be_unreadable_in_crm_plus, false)
            and not is_foreign_key
            and (is_dangling or (not coalesce(is_ended_at_once, false) and not is_campaign_off))
        ) as is_counterpart_unreadable,
        is_changed_after_other_read
        and (
            is_dangling
            or (
                has_match
                and not coalesce(is_duplicate, false)
                and (is_state_mismatch or is_amount_mismatch or is_frequency_mismatch or is_contact_mismatch)
            )
        ) as is_difference_too_new,
        is_contact_mismatch
        and (is_donor_contact_quarantined or is_crm_contact_quarantined or is_contact_changed_after_other_read)
        -- what comes first in the order of the statuses needs no contacts
        and not coalesce(is_duplicate, false)
        and not coalesce(is_state_mismatch, false)
        and not coalesce(is_amount_mismatch, false)
        and not coalesce(is_frequency_mismatch, false) as is_contact_uncertain,
        -- it may have ended before it could arrive
        not has_match
        and not has_crm_key
        and is_ended
        and ended_by is null
        and not is_campaign_off as is_end_unknown,
        not has_match
        and not has_crm_key
        and is_expected is null
        and not coalesce(is_ended_at_once, false)
        and not is_crm_plus_only as is_expectation_unknown
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
            when is_difference_too_new then 'not_assessable'
            when is_contact_uncertain then 'not_assessable'
            when is_end_unknown then 'not_assessable'
            when is_expectation_unknown then 'not_assessable'
            when is_foreign_key then 'foreign_key'
            when is_dangling then 'dangling'
            when is_duplicate then 'duplicate'
            when is_crm_plus_only and age_us < 0 then 'pending'
            when is_crm_plus_only then 'orphan'
            when not has_match and is_ended_at_once then 'not_expected'
            when not has_match and is_campaign_off then 'sync_disabled'
            when not has_match and is_in_time then 'pending'
            when not has_match and is_not_yet_missing then 'late'
            when not has_match then 'missing'
            when is_state_mismatch then 'state_mismatch'
            when is_amount_mismatch then 'amount_mismatch'
            when is_frequency_mismatch then 'frequency_mismatch'
            when is_contact_mismatch then 'contact_mismatch'
            when evidence = 'transaction' then 'linked_by_reference'
            else 'linked'
        end as status
    from doubts
),

explained as (
    select
        *,
        'crmKey "' || crm_key || '"' as key_text,
        coalesce('Raise schedule ' || pair_raise_id, 'Raise as its source without the id of a schedule') as claim_text,
        coalesce(amount || '', 'an unknown amount') || coalesce(' ' || currency, '') as amount_text,
        {{ assumption_text('campaign_evidence') }} as assumption_text
    from judged
)

select
    explained.organization,
    explained.raise_id,
    case when not explained.runs_no_crm_plus then explained.crm_id end as crm_id,
    explained.status,
    case
        when not explained.is_crm_plus_only and not explained.runs_no_crm_plus then coalesce(explained.evidence, 'none')
        else 'none'
    end as evidence,
    case when not explained.runs_no_crm_plus then explained.confidence end as confidence,
    case explained.status
        when 'test_mode'
            then 'The schedule was made in test mode.'
        when 'deleted'
            then 'Raise no longer returns the schedule; it vanished by ' || {{ instant_text('explained.deleted_at') }} || '.'
        when 'not_applicable'
            then 'The organization does not run CRM+.'
        when 'not_assessable'
            then case
                when explained.is_read_incomplete_or_stale
                    then coalesce(explained.not_assessable_reason, 'Nothing is known about what was read.')
                when explained.is_crm_plus_only
                    then
                        'The CRM+ schedule names ' || explained.claim_text
                        || '; a record of this pair is in quarantine because it could not be read.'
                when explained.is_raise_schedule_quarantined
                    then 'The schedule is in quarantine: its present state could not be read.'
                when explained.is_crm_schedule_quarantined
                    then 'The CRM+ schedule is in quarantine: its present state could not be read.'
                when explained.is_counterpart_unreadable
                    then 'No CRM+ schedule was found, and one that may be this one is in quarantine.'
                when explained.is_difference_too_new
                    then
                        'The two sides differ, but one of them changed after the other was read, or so shortly before'
                        || ' that it need not show yet; Raise schedules were read at '
                        || {{ instant_text('explained.raise_schedule_read_at') }} || ', CRM+ schedules at '
                        || {{ instant_text('explained.crm_schedules_read_at') }} || '.'
                when explained.is_contact_uncertain
                    then
                        'The schedule seems to sit on another contact, but '
                        || {{ contact_doubt_text('explained.is_crm_contact_quarantined') }}
                when explained.is_end_unknown
                    then
                        'Raise says "' || explained.status_text || '" and not since when: it may have ended before it could'
                        || ' arrive in CRM+.'
                else
                    {{ unknown_expectation_text('explained.campaign', 'the schedule', 'explained.unread_events') }}
            end
        when 'foreign_key'
            then explained.key_text || ' is not a CRM+ schedule id; it points at another CRM.'
        when 'dangling'
            then explained.key_text || ' names a schedule that CRM+ does not have.'
        when 'duplicate'
            then
                explained.key_text || ' is also that of Raise '
                || case when len(explained.other_live_ids_with_key) = 1 then 'schedule ' else 'schedules ' end
                || array_to_string(explained.other_live_ids_with_key, ', ')
                || '; none of them is known to have ended.'
        when 'not_expected'
            then
                'Raise says "' || explained.status_text || '" since ' || {{ instant_text('explained.ended_by') }}
                || ' at the latest, within {{ var("late_after_hours") }} hours of its creation; CRM+ has no such schedule.'
        when 'sync_disabled'
            then
                'CRM+ has no such schedule; the campaign' || coalesce(' "' || explained.campaign || '"', '')
                || ' was not syncing when it was made, ' || {{ instant_text('explained.expected_since') }} || '.'
                || explained.assumption_text
        when 'orphan'
            then
                'CRM+ schedule ' || explained.crm_id || ' names ' || explained.claim_text
                || ', which Raise never showed in a complete read.'
        when 'state_mismatch'
            then
                'Raise says "' || explained.status_text || '", CRM+ schedule ' || explained.crm_id || ' says '
                || case
                    when explained.crm_cancelled_at is not null
                        then 'cancelled at ' || {{ instant_text('explained.crm_cancelled_at') }}
                    else '"' || explained.crm_status_text || '"'
                end || '.'
        when 'amount_mismatch'
            then
                'Raise has ' || explained.amount_text || ' a period, CRM+ schedule ' || explained.crm_id || ' '
                || explained.crm_amount || '; the difference is '
                || ({{ wide('explained.crm_amount') }} - explained.amount) || '.'
        when 'frequency_mismatch'
            then
                'Raise has ' || explained.payments_per_year || ' payments a year ("'
                || coalesce(explained.frequency_text, '') || '"), CRM+ schedule ' || explained.crm_id || ' '
                || explained.crm_payments_per_year || ' ("' || explained.crm_frequency_text || '").'
        when 'contact_mismatch'
            then
                'The donor is contact ' || explained.contact_id || ', and CRM+ schedule ' || explained.crm_id
                || ' sits on contact ' || explained.crm_contact_id || ' (after merges).'
        when 'linked_by_reference'
            then
                'crmKey is empty; CRM+ schedule ' || explained.crm_id
                || ' names this schedule, and all that was compared agrees.'
        when 'linked'
            then
                'CRM+ schedule ' || explained.crm_id || ' exists, and all that was compared agrees'
                || case
                    when explained.is_ended is null or explained.crm_is_ended is null then '; the state is unknown'
                    else ''
                end
                || case
                    when explained.payments_per_year is null or explained.crm_payments_per_year is null
                        then '; the frequency is unknown'
                    else ''
                end || '.'
        else case
            when explained.is_crm_plus_only
                then
                    'CRM+ schedule ' || explained.crm_id || ' names ' || explained.claim_text
                    || ' and is newer than the last complete read of Raise schedules.'
            else
                'crmKey is empty and no CRM+ schedule names this schedule of ' || explained.amount_text
                || '; expected since ' || {{ instant_text('explained.expected_since') }}
                || coalesce(' in campaign "' || nullif(explained.campaign, '') || '"', '') || '.'
                || explained.assumption_text
        end
    end as cause,
    statuses.severity,
    statuses.is_exception,
    explained.expected_since,
    {{ age_hours('explained.status', 'explained.age_us') }} as age_hours,
    explained.amount as raise_amount,
    case when not explained.runs_no_crm_plus then explained.crm_amount end as crm_amount,
    explained.crm_url,
    explained.as_of,
    explained.donor_id,
    explained.contact_id,
    case when not explained.runs_no_crm_plus then explained.crm_contact_id end as crm_contact_id,
    explained.crm_key,
    explained.status_text,
    case when not explained.runs_no_crm_plus then explained.crm_status_text end as crm_status_text,
    explained.payments_per_year,
    case when not explained.runs_no_crm_plus then explained.crm_payments_per_year end as crm_payments_per_year,
    explained.campaign
from explained
left join statuses on explained.status = statuses.code
where not (explained.is_crm_plus_only and explained.runs_no_crm_plus)
