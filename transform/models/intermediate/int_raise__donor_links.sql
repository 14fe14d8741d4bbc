-- What ties each Raise donor to CRM+ contacts: its key, the back-references that name it, and whether the two agree.
{{ config(materialized='maintained_table') }}
with donors as (
    select
        organization,
        donor_id,
        has_crm_key,
        crm_key_contact_id,
        crm_key_urls,
        is_test_mode,
        is_gdpr_deleted,
        is_deleted,
        is_archived,
        coalesce(greatest(created_at, modified_at), extracted_at) as changed_at
    from {{ ref('stg_raise__donors') }}
),

unread_donors as (
    select
        organization,
        record_key as donor_id,
        read_at
    from {{ ref('int_recon__unread_rows') }}
    where source = 'raise' and resource = 'donors'
),

-- usually a map from the type of integration to its link; a list of links is read as well
link_entries as (
    select
        organization,
        donor_id,
        case json_type(crm_key_urls)
            when 'OBJECT'
                then list_transform(
                    map_entries(try_cast(crm_key_urls as map(varchar, json))), -- noqa: LT01
                    lambda x: {
                        'type': x.key,
                        'url': coalesce(
                            x.value ->> '$.url', case json_type(x.value) when 'VARCHAR' then x.value ->> '$' end
                        ),
                        'is_link': json_type(x.value) != 'NULL'
                    }
                )
            when 'ARRAY'
                then list_transform(
                    from_json(crm_key_urls, '[{"type": "VARCHAR", "url": "VARCHAR"}]'),
                    lambda x: {
                        'type': x.type,
                        'url': x.url,
                        'is_link': true
                    }
                )
        end as entries
    from donors
    where crm_key_urls is not null
),

virtuous_link_entries as (
    select
        organization,
        donor_id,
        -- a type without a link leads nowhere; that of Virtuous tells all the same where the key belongs
        list_filter(entries, lambda x: x.is_link) as link_entries,
        list_filter(
            entries,
            lambda x: contains(lower(concat_ws(' ', x.type, x.url)), 'virtuous')
        ) as virtuous_entries
    from link_entries
),

link_targets as (
    select
        organization,
        donor_id,
        len(link_entries) > 0 and len(virtuous_entries) = 0 as is_linked_elsewhere,
        list_min(list_transform(virtuous_entries, lambda x: {{ clean_text('x.url') }})) as crm_url,
        array_to_string(list_sort(list_transform(link_entries, lambda x: x.type)), ', ') as integration_types
    from virtuous_link_entries
),

keyed_donors as (
    select
        donors.organization,
        donors.donor_id,
        donors.has_crm_key,
        donors.is_test_mode,
        donors.is_gdpr_deleted,
        donors.is_deleted,
        donors.is_archived,
        donors.changed_at,
        unread_donors.read_at as unread_since,
        link_targets.crm_url,
        link_targets.integration_types,
        coalesce(link_targets.is_linked_elsewhere, false) as is_linked_elsewhere,
        donors.has_crm_key and donors.crm_key_contact_id is null as is_key_unusable,
        case
            when not coalesce(link_targets.is_linked_elsewhere, false) then donors.crm_key_contact_id
        end as crm_key_contact_id
    from donors
    left join link_targets
        on
            donors.organization = link_targets.organization
            and donors.donor_id = link_targets.donor_id
    left join unread_donors
        on
            donors.organization = unread_donors.organization
            and donors.donor_id = unread_donors.donor_id
),

donor_references as (
    select
        organization,
        donor_id,
        resolved_contact_id,
        bool_or(is_resolved_live) as is_live,
        max(changed_at) as changed_at,
        bool_or(is_end_unknown) as is_quarantined
    from {{ ref('int_crm_plus__raise_references') }}
    group by organization, donor_id, resolved_contact_id
),

resolved_keys as (
    select
        keyed_donors.organization,
        keyed_donors.donor_id,
        contacts.survivor_contact_id as key_survivor_id,
        contacts.is_merged as is_key_merged,
        contacts.merge_state as key_merge_state,
        contacts.end_contact_id as key_end_contact_id,
        contacts.is_survivor_archived,
        contacts.is_end_unknown
    from keyed_donors
    inner join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
        on
            keyed_donors.organization = contacts.organization
            and keyed_donors.crm_key_contact_id = contacts.contact_id
),

reference_facts as (
    select
        donor_references.organization,
        donor_references.donor_id,
        count(*) as reference_contact_count,
        min(donor_references.resolved_contact_id) as reference_contact_id,
        list_sort(list(donor_references.resolved_contact_id)) as reference_contact_ids,
        list_sort(list(donor_references.resolved_contact_id) filter (where donor_references.is_live))
            as live_reference_contact_ids,
        max(donor_references.changed_at) as references_changed_at,
        bool_or(donor_references.is_quarantined) as is_reference_quarantined,
        coalesce(bool_or(donor_references.resolved_contact_id = resolved_keys.key_survivor_id), false)
            as key_contact_refers_back,
        min(donor_references.resolved_contact_id) filter (
            where
            donor_references.is_live
            and donor_references.resolved_contact_id is distinct from resolved_keys.key_survivor_id
        ) as other_live_reference_contact_id
    from donor_references
    left join resolved_keys
        on
            donor_references.organization = resolved_keys.organization
            and donor_references.donor_id = resolved_keys.donor_id
    group by donor_references.organization, donor_references.donor_id
),

quarantined_contacts as (
    select
        organization,
        record_key as contact_id,
        above_key,
        below_key
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and resource = 'contacts'
),

-- the contact that is not there may be one that nobody could identify
donors_of_hidden_contacts as (
    select distinct
        keyed_donors.organization,
        keyed_donors.donor_id
    from keyed_donors
    inner join quarantined_contacts
        on
            keyed_donors.organization = quarantined_contacts.organization
            and quarantined_contacts.contact_id is null
    left join resolved_keys
        on
            keyed_donors.organization = resolved_keys.organization
            and keyed_donors.donor_id = resolved_keys.donor_id
    where
        keyed_donors.crm_key_contact_id is not null
        and resolved_keys.key_survivor_id is null
        and {{ may_stand_in_gap(
            'coalesce(resolved_keys.key_end_contact_id, keyed_donors.crm_key_contact_id)', 'quarantined_contacts'
        ) }}
),

quarantined_donors as (
    select
        organization,
        record_key as donor_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'raise' and resource = 'donors' and record_key is not null
),

unreadable_contacts as (
    select distinct
        organization,
        raise_id
    from {{ ref('int_crm_plus__unreadable_records') }}
    where resource = 'contacts'
),

-- a contact may be older than the donor that it comes to name
unreadable_by_nobody as (
    select distinct organization
    from {{ ref('int_crm_plus__unreadable_records') }}
    where resource = 'contacts' and is_unidentified
),

links as (
    select
        keyed_donors.*,
        resolved_keys.key_survivor_id,
        resolved_keys.key_merge_state,
        resolved_keys.key_end_contact_id,
        coalesce(resolved_keys.is_key_merged, false) as is_key_merged,
        coalesce(resolved_keys.is_survivor_archived, false) as is_survivor_archived,
        coalesce(reference_facts.reference_contact_count, 0) as reference_contact_count,
        array_to_string(reference_facts.reference_contact_ids, ', ') as reference_contact_ids,
        reference_facts.references_changed_at,
        -- where key and back-references disagree, what sits on either is no mistake
        case
            when not reference_facts.key_contact_refers_back then reference_facts.live_reference_contact_ids
        end as disputed_contact_ids,
        coalesce(reference_facts.key_contact_refers_back, false) as key_contact_refers_back,
        reference_facts.other_live_reference_contact_id,
        quarantined_donors.donor_id is not null as is_donor_quarantined,
        -- a contact that was never read is not among those that are resolved
        coalesce(resolved_keys.is_end_unknown, key_quarantine.contact_id is not null) as is_key_contact_quarantined,
        coalesce(reference_facts.is_reference_quarantined, false) as is_reference_quarantined,
        donors_of_hidden_contacts.donor_id is not null as may_be_of_hidden_contact,
        unreadable_contacts.organization is not null
        or unreadable_by_nobody.organization is not null as may_be_unreadable_in_crm_plus,
        case
            when keyed_donors.crm_key_contact_id is not null then resolved_keys.key_survivor_id
            when reference_facts.reference_contact_count = 1 then reference_facts.reference_contact_id
        end as crm_id
    from keyed_donors
    left join resolved_keys
        on
            keyed_donors.organization = resolved_keys.organization
            and keyed_donors.donor_id = resolved_keys.donor_id
    left join reference_facts
        on
            keyed_donors.organization = reference_facts.organization
            and keyed_donors.donor_id = reference_facts.donor_id
    left join quarantined_donors
        on
            keyed_donors.organization = quarantined_donors.organization
            and keyed_donors.donor_id = quarantined_donors.donor_id
    left join quarantined_contacts as key_quarantine
        on
            keyed_donors.organization = key_quarantine.organization
            and keyed_donors.crm_key_contact_id = key_quarantine.contact_id
    left join donors_of_hidden_contacts
        on
            keyed_donors.organization = donors_of_hidden_contacts.organization
            and keyed_donors.donor_id = donors_of_hidden_contacts.donor_id
    left join unreadable_contacts
        on
            keyed_donors.organization = unreadable_contacts.organization
            and keyed_donors.donor_id = unreadable_contacts.raise_id
    left join unreadable_by_nobody
        on keyed_donors.organization = unreadable_by_nobody.organization
),

live_donor_counts as (
    select
        organization,
        crm_id,
        count(*) as live_donor_count
    from links
    where
        crm_id is not null
        and (not is_test_mode or {{ var('include_test_mode') }})
        and not is_gdpr_deleted
        and not is_deleted
        and not is_archived
    group by organization, crm_id
)

select
    links.organization,
    links.donor_id,
    links.changed_at,
    links.unread_since,
    links.has_crm_key,
    links.crm_key_contact_id,
    links.crm_url,
    links.integration_types,
    links.is_key_unusable,
    links.is_linked_elsewhere,
    links.key_survivor_id,
    links.key_merge_state,
    links.key_end_contact_id,
    links.is_key_merged,
    links.is_survivor_archived,
    links.reference_contact_count,
    links.reference_contact_ids,
    links.references_changed_at,
    links.key_contact_refers_back,
    links.other_live_reference_contact_id,
    links.disputed_contact_ids,
    links.is_donor_quarantined,
    links.is_key_contact_quarantined,
    links.is_reference_quarantined,
    links.is_key_contact_quarantined
    or (links.is_reference_quarantined and not links.key_contact_refers_back) as is_contact_quarantined,
    links.may_be_of_hidden_contact,
    links.may_be_unreadable_in_crm_plus,
    links.crm_id,
    coalesce(live_donor_counts.live_donor_count, 0) - case
        when
            (not links.is_test_mode or {{ var('include_test_mode') }})
            and not links.is_gdpr_deleted
            and not links.is_deleted
            and not links.is_archived
            then 1
        else 0
    end > 0 and links.crm_id is not null as shares_contact
from links
left join live_donor_counts
    on
        links.organization = live_donor_counts.organization
        and links.crm_id = live_donor_counts.crm_id
