-- One row per Raise donor, and one per live CRM+ contact that claims a Raise donor and matches none.
{{ config(
    materialized='maintained_table',
    meta={'restated': ['as_of']},
    post_hook="{{ restate_as_of('donor') }}"
) }}
with assessability as (
    select
        organization,
        is_crm_plus_connected,
        as_of,
        donors_read_at,
        contacts_read_at,
        is_assessable,
        not_assessable_reason
    from {{ ref('int_recon__assessability') }}
    where entity = 'donor'
),

statuses as (
    select
        code,
        nullif(severity, '') as severity,
        is_exception
    from {{ ref('recon_statuses') }}
    where entity = 'donor'
),

donors as (
    select
        organization,
        donor_id,
        donor_name,
        first_name,
        last_name,
        organization_name,
        email,
        crm_key,
        is_test_mode,
        is_gdpr_deleted,
        is_deleted,
        deleted_at,
        coalesce(created_at, first_extracted_at) as created_at
    from {{ ref('stg_raise__donors') }}
),

identities as (
    select
        organization,
        contact_id,
        contact_name,
        names,
        emails
    from {{ ref('int_crm_plus__contact_identities') }}
),

donor_facts as (
    select
        donors.organization,
        donors.donor_id as raise_id,
        false as is_crm_plus_only,
        donors.crm_key,
        links.crm_key_contact_id,
        links.crm_id as contact_id,
        donors.email,
        donors.donor_name as name,
        {{ fold_text('donors.email') }} as folded_email,
        list_filter(
            [
                {{ fold_name('donors.donor_name') }},
                {{ fold_name("concat_ws(' ', donors.first_name, donors.last_name)") }},
                {{ fold_name('donors.organization_name') }}
            ],
            lambda x: x is not null -- noqa: RF02
        ) as folded_names,
        links.crm_url,
        links.shares_contact,
        donors.is_test_mode and not {{ var('include_test_mode') }} as is_test_mode,
        donors.is_gdpr_deleted,
        donors.is_deleted,
        donors.deleted_at,
        links.is_key_unusable,
        links.is_linked_elsewhere,
        links.integration_types,
        links.has_crm_key,
        links.key_survivor_id,
        links.key_merge_state,
        links.key_end_contact_id,
        links.is_key_merged,
        links.is_survivor_archived,
        links.key_contact_refers_back,
        links.other_live_reference_contact_id,
        links.reference_contact_count,
        links.reference_contact_ids,
        links.references_changed_at,
        links.is_donor_quarantined,
        links.is_key_contact_quarantined,
        links.is_reference_quarantined,
        links.may_be_of_hidden_contact,
        links.may_be_unreadable_in_crm_plus,
        links.changed_at,
        links.unread_since,
        coalesce(activity.gift_count, 0) as gift_count,
        -- not known where it is beyond what the type holds
        case when activity.donor_id is not null then activity.gift_amount else 0 end as gift_amount,
        coalesce(activity.schedule_count, 0) as schedule_count,
        coalesce(activity.expected_count, 0) as expected_count,
        coalesce(activity.unknown_count, 0) as unknown_count,
        coalesce(activity.assumed_count, 0) as assumed_count,
        activity.first_expected_entity,
        activity.first_expected_id,
        activity.first_expected_at,
        activity.expected_changed_since,
        activity.first_expected_evidence,
        activity.first_expected_campaign,
        activity.unknown_campaign,
        activity.unread_events,
        activity.disabled_campaign,
        case
            when activity.first_expected_at is not null then greatest(donors.created_at, activity.first_expected_at)
        end as expected_since,
        null as claimed_donor_ids
    from donors
    left join {{ ref('int_raise__donor_links') }} as links
        on
            donors.organization = links.organization
            and donors.donor_id = links.donor_id
    left join {{ ref('int_raise__donor_activity') }} as activity
        on
            donors.organization = activity.organization
            and donors.donor_id = activity.donor_id
),

-- the same columns by name; what is said of donors only stays null
contact_facts as (
    select
        unmatched.organization,
        true as is_crm_plus_only,
        unmatched.contact_id,
        identities.emails[1] as email,
        identities.contact_name as name,
        unmatched.is_quarantined as is_donor_quarantined,
        unmatched.claimed_since as expected_since,
        unmatched.claimed_donor_ids
    from {{ ref('int_crm_plus__unmatched_contacts') }} as unmatched
    left join identities
        on
            unmatched.organization = identities.organization
            and unmatched.contact_id = identities.contact_id
),

facts as (
    select * from donor_facts
    union all by name
    select * from contact_facts
),

timed_facts as (
    select
        facts.*,
        assessability.as_of,
        assessability.contacts_read_at,
        assessability.is_crm_plus_connected,
        coalesce(assessability.is_assessable, false) as is_assessable,
        assessability.not_assessable_reason,
        coalesce(facts.unread_since, assessability.donors_read_at) as donor_read_at,
        {{ age_us('facts.unread_since') }} as age_us
    from facts
    left join assessability on facts.organization = assessability.organization
),

-- what each rule of the contract asks, under the name it has there
conditions as (
    select
        *,
        is_deleted or is_gdpr_deleted as is_gone,
        {{ runs_no_crm_plus() }} as runs_no_crm_plus,
        not is_assessable as is_read_incomplete_or_stale,
        is_donor_quarantined
        or (is_key_contact_quarantined and not is_linked_elsewhere)
        -- a contact that nobody could read may be the one that is not found
        or may_be_of_hidden_contact
        or (
            may_be_unreadable_in_crm_plus
            and not has_crm_key
            and not is_linked_elsewhere
            and reference_contact_count = 0
            and expected_count > 0
        )
            as is_counterpart_unreadable,
        {{ is_newer_than_crm_plus('changed_at', 'donor_read_at', 'contacts_read_at') }} as is_newer_than_contacts,
        -- the donor was last read before a contact named it: its key may have come since
        coalesce(references_changed_at > donor_read_at, false) as is_reference_newer_than_donor,
        -- all that is expected of it was approved, or changed, only after CRM+ was last read
        coalesce(expected_changed_since > contacts_read_at, false) as is_activity_newer_than_contacts,
        is_key_unusable or is_linked_elsewhere as is_foreign_key,
        key_survivor_id is not null
        and not key_contact_refers_back
        and other_live_reference_contact_id is not null as is_conflict,
        crm_key_contact_id is not null and key_survivor_id is null as is_dangling,
        key_survivor_id is not null and is_survivor_archived as is_archived,
        key_survivor_id is not null and is_key_merged as is_merged,
        key_survivor_id is not null as is_linked,
        gift_count + schedule_count > 0 as has_activity,
        -- whether anything was expected hangs on campaigns whose state nobody knows
        not has_crm_key
        and reference_contact_count = 0
        and expected_count = 0
        and unknown_count > 0 as is_expectation_unknown,
        {{ is_in_time() }} as is_in_time,
        {{ is_not_yet_missing() }} as is_not_yet_missing
    from timed_facts
),

doubts as (
    select
        *,
        -- where the merges of a contact that refers back end, decides whether it is another one
        is_reference_quarantined
        and (is_conflict or not has_crm_key) as is_reference_uncertain,
        -- not finding the contact of a new key, or finding it without a reference, says nothing yet
        is_newer_than_contacts
        and (is_conflict or (is_dangling and key_merge_state is null)) as is_key_newer_than_contacts,
        is_reference_newer_than_donor
        and (is_conflict or not has_crm_key) as is_key_unread,
        not has_crm_key
        and reference_contact_count = 0
        and not is_in_time
        and is_activity_newer_than_contacts as is_absence_too_new
    from conditions
),

-- the first that applies wins: the order is that of the contract
judged as (
    select
        *,
        case
            when is_test_mode then 'test_mode'
            when is_gone then 'deleted'
            when runs_no_crm_plus then 'not_applicable'
            when is_read_incomplete_or_stale then 'not_assessable'
            when is_counterpart_unreadable then 'not_assessable'
            when is_reference_uncertain and not is_foreign_key then 'not_assessable'
            when is_key_newer_than_contacts and not is_foreign_key then 'not_assessable'
            when is_key_unread and not is_foreign_key then 'not_assessable'
            when is_absence_too_new and not is_foreign_key then 'not_assessable'
            when is_expectation_unknown and not is_foreign_key then 'not_assessable'
            when is_foreign_key then 'foreign_key'
            when is_conflict then 'conflict'
            when is_dangling then 'dangling'
            when is_archived then 'archived'
            when is_merged then 'merged'
            when is_linked then 'linked'
            when reference_contact_count = 1 then 'linked_by_reference'
            when reference_contact_count > 1 then 'ambiguous_reference'
            when has_activity and expected_count = 0 then 'sync_disabled'
            when not has_activity then 'no_activity'
            when is_crm_plus_only and age_us >= 0 then 'orphan'
            when is_in_time then 'pending'
            when is_not_yet_missing then 'late'
            when age_us is not null then 'missing'
        end as status
    from doubts
),

compared as (
    select
        judged.*,
        case when not judged.runs_no_crm_plus then judged.contact_id end as crm_id,
        identities.emails as contact_emails,
        identities.names as contact_names
    from judged
    left join identities
        on
            judged.organization = identities.organization
            and judged.contact_id = identities.contact_id
),

explained as (
    select
        *,
        case
            when status = 'ambiguous_reference' then 'reference'
            when crm_id is null or is_crm_plus_only then 'none'
            when key_survivor_id is not null and key_contact_refers_back then 'crm_key+reference'
            when key_survivor_id is not null then 'crm_key'
            else 'reference'
        end as evidence,
        case when has_crm_key then 'crmKey "' || crm_key || '"' end as key_text,
        case
            when assumed_count > 0
                then ' The state of the campaign at that time was not observed; the nearest known state was assumed.'
            else ''
        end as any_assumption_text,
        {{ assumption_text('first_expected_evidence') }} as first_assumption_text,
        gift_count || case gift_count when 1 then ' gift' else ' gifts' end
        || coalesce(' (' || gift_amount || ')', '') || ' and '
        || schedule_count || case schedule_count when 1 then ' schedule' else ' schedules' end as activity_text
    from compared
)

select
    explained.organization,
    explained.raise_id,
    explained.crm_id,
    explained.status,
    explained.evidence,
    case explained.evidence
        when 'crm_key+reference' then 'exact'
        when 'crm_key' then 'high'
        when 'reference' then 'medium'
    end as confidence,
    case explained.status
        when 'test_mode'
            then 'The donor was made in test mode.'
        when 'deleted'
            then case
                when explained.is_gdpr_deleted then 'The personal data of the donor was erased in Raise.'
                else
                    'Raise no longer returns the donor; it vanished by '
                    || {{ instant_text('explained.deleted_at') }} || '.'
            end
        when 'not_applicable'
            then 'The organization does not run CRM+.'
        when 'not_assessable'
            then case
                when explained.is_read_incomplete_or_stale
                    then coalesce(explained.not_assessable_reason, 'Nothing is known about what was read.')
                when explained.is_crm_plus_only
                    then
                        'The contact names Raise donor ' || explained.claimed_donor_ids
                        || '; a record of this pair is in quarantine because it could not be read.'
                when explained.is_donor_quarantined
                    then 'The donor is in quarantine: its present state could not be read.'
                when explained.is_key_contact_quarantined
                    then
                        'The contact that ' || explained.key_text
                        || ' leads to is in quarantine: its present state could not be read.'
                when explained.is_counterpart_unreadable and not explained.has_crm_key
                    then
                        'crmKey is empty, no contact refers back to the donor, and one that may is in quarantine: '
                        || 'it could not be read.'
                when explained.is_counterpart_unreadable
                    then
                        'No contact was found for ' || explained.key_text
                        || ', and a contact that could not be identified is in quarantine.'
                when explained.is_reference_uncertain
                    then
                        'A contact that refers back to the donor (' || explained.reference_contact_ids
                        || ') is in quarantine: its present state could not be read.'
                when explained.is_key_newer_than_contacts
                    then
                        'The donor changed after the last complete read of contacts began ('
                        || {{ instant_text('explained.contacts_read_at') }} || '), or so shortly before that CRM+ need not'
                        || ' show it yet; the contact of ' || explained.key_text || ' may be newer than that.'
                when explained.is_key_unread
                    then
                        'The contact that names the donor changed after the donor was last read ('
                        || {{ instant_text('explained.donor_read_at') }} || '); its crmKey may have come since.'
                when explained.is_absence_too_new
                    then
                        'crmKey is empty and no contact refers back to this donor, but what is expected of it changed in'
                        || ' Raise after the last complete read of contacts began ('
                        || {{ instant_text('explained.contacts_read_at') }} || ').'
                else
                    {{ unknown_expectation_text(
                        'explained.unknown_campaign', 'its gifts or schedules', 'explained.unread_events'
                    ) }}
            end
        when 'foreign_key'
            then case
                when explained.is_key_unusable
                    then explained.key_text || ' is not a CRM+ contact id; it points at another CRM.'
                else
                    coalesce(explained.key_text || ' belongs to another CRM: its', 'The')
                    || ' links lead to ' || explained.integration_types || ' and none to Virtuous.'
            end
        when 'conflict'
            then
                explained.key_text || ' leads to contact ' || explained.key_survivor_id
                || ', which does not refer back to this donor; contact '
                || explained.other_live_reference_contact_id || ' does.'
        when 'dangling'
            then case explained.key_merge_state
                when 'cycle'
                    then
                        explained.key_text || ' names a contact whose merges lead round in a circle ('
                        || explained.crm_key_contact_id || ').'
                when 'missing_survivor'
                    then
                        explained.key_text || ' names a contact that was merged into contact '
                        || explained.key_end_contact_id || ', which CRM+ does not have.'
                when 'deleted'
                    then explained.key_text || ' names a contact that CRM+ no longer returns.'
                else explained.key_text || ' names a contact that CRM+ does not have.'
            end
            || case
                when explained.other_live_reference_contact_id is not null
                    then ' Contact ' || explained.other_live_reference_contact_id || ' refers back to this donor.'
                else ''
            end
        when 'archived'
            then
                explained.key_text || ' leads to contact ' || explained.crm_id || ', which is archived'
                || case
                    when explained.is_key_merged then ' (after merges, from contact ' || explained.crm_key_contact_id || ')'
                    else ''
                end || '.'
        when 'merged'
            then
                'Contact ' || explained.crm_key_contact_id || ' was merged; contact ' || explained.crm_id
                || ' is the survivor.'
        when 'linked'
            then
                'Contact ' || explained.crm_id || ' exists'
                || case
                    when explained.key_contact_refers_back then ' and refers back to this donor.'
                    else '; it carries no reference back to this donor.'
                end
        when 'linked_by_reference'
            then
                'crmKey is empty; contact ' || explained.crm_id || ' refers back to this donor.'
        when 'ambiguous_reference'
            then
                'crmKey is empty, and ' || explained.reference_contact_count
                || ' contacts refer back to this donor: ' || explained.reference_contact_ids || '.'
        when 'sync_disabled'
            then
                'crmKey is empty; it has ' || explained.activity_text
                || ', none of them in a campaign that was syncing when they were made'
                || coalesce(' (campaign "' || explained.disabled_campaign || '")', '') || '.'
                || explained.any_assumption_text
        when 'no_activity'
            then 'crmKey is empty, and there is no gift or schedule that counts, so that nothing is expected in CRM+.'
        when 'orphan'
            then
                'The contact names Raise donor ' || explained.claimed_donor_ids
                || ', which Raise never showed in a complete read.'
        else case
            when explained.is_crm_plus_only
                then
                    'The contact names Raise donor ' || explained.claimed_donor_ids
                    || ' and is newer than the last complete read of Raise donors.'
            else
                'crmKey is empty and no contact refers back to this donor; expected since '
                || {{ instant_text('explained.expected_since') }}
                || case explained.first_expected_entity
                    when 'gift' then ' because of gift '
                    else ' because of schedule '
                end
                || explained.first_expected_id
                || coalesce(' in campaign "' || nullif(explained.first_expected_campaign, '') || '"', '')
                || '; it has ' || explained.activity_text || '.'
                || explained.first_assumption_text
        end
    end as cause,
    statuses.severity,
    statuses.is_exception,
    explained.expected_since,
    {{ age_hours('explained.status', 'explained.age_us') }} as age_hours,
    explained.gift_amount as raise_amount,
    cast(null as decimal(18, 2)) as crm_amount,
    explained.crm_url,
    explained.as_of,
    explained.crm_key,
    case when not coalesce(explained.is_linked_elsewhere, false) then explained.crm_key_contact_id end
        as crm_key_contact_id,
    explained.email,
    explained.name,
    case
        when explained.folded_email is not null and len(explained.contact_emails) > 0
            then list_contains(explained.contact_emails, explained.folded_email)
    end as email_agrees,
    case
        when len(explained.folded_names) > 0 and len(explained.contact_names) > 0
            then list_has_any(explained.contact_names, explained.folded_names)
    end as name_agrees,
    coalesce(explained.shares_contact and not explained.runs_no_crm_plus, false) as shares_contact,
    explained.gift_count,
    explained.gift_amount
from explained
left join statuses on explained.status = statuses.code
-- without CRM+ there is no other side that could claim anything
where not (explained.is_crm_plus_only and explained.runs_no_crm_plus)
