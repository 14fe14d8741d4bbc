-- What the delivery log calls each event type, beside what the pattern of the integers suggests. The suggestion stays one:
-- it stands in `hypothesis_label` and is never filled into `observed_label`.
with hypotheses as (
    select
        event_type,
        resource_family,
        action,
        resource_family || ' ' || action as hypothesis_label,
        produced_by
    from {{ ref('event_types') }}
),

-- log rows that the API has dropped still count: the log is kept here longer than there. Millions of rows have a few
-- spellings: what takes time is done once for each.
spellings as (
    select
        organization,
        event_type,
        observed_label,
        count(*) as observations,
        min(coalesce(created_at, first_extracted_at)) as first_observed_at,
        max(coalesce(created_at, first_extracted_at)) as last_observed_at
    from {{ ref('stg_raise__webhook_logs') }}
    where event_type is not null
    group by organization, event_type, observed_label
),

folded as (
    select
        *,
        {{ fold_label('observed_label') }} as folded_label
    from spellings
),

labels as (
    select
        organization,
        event_type,
        folded_label,
        list(observed_label order by observations desc, observed_label asc)[1] as label,
        cast(sum(observations) as bigint) as observations,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at
    from folded
    group by organization, event_type, folded_label
),

observed_types as (
    select
        organization,
        event_type,
        cast(sum(observations) as bigint) as observations,
        count(folded_label) as label_count,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at,
        (
            list(label order by observations desc, folded_label asc) filter (where folded_label is not null)
        )[1] as observed_label,
        list(
            {
                'label': label,
                'observations': observations,
                'first_observed_at': first_observed_at,
                'last_observed_at': last_observed_at
            }
            order by first_observed_at, label
        ) filter (where folded_label is not null) as labels
    from labels
    group by organization, event_type
),

known_types as (
    select
        organizations.organization,
        hypotheses.event_type
    from {{ ref('int_organizations') }} as organizations
    cross join hypotheses
    union
    select
        organization,
        event_type
    from observed_types
),

described_types as (
    select
        known_types.organization,
        known_types.event_type,
        hypotheses.resource_family,
        hypotheses.action,
        hypotheses.hypothesis_label,
        hypotheses.produced_by,
        observed_types.observed_label,
        observed_types.labels,
        -- for the meaning, punctuation is no more than a space: `donation.created`
        regexp_replace(lower(observed_types.observed_label), '[^\p{L}\p{N}]', '', 'g') as label_meaning,
        coalesce(observed_types.observations, 0) as observations,
        coalesce(observed_types.label_count, 0) as label_count,
        observed_types.first_observed_at,
        observed_types.last_observed_at,
        array_to_string({{ record_names('hypotheses.resource_family') }}, '|') as objects,
        case hypotheses.action
            when 'created' then 'created|new|added|made|create|add'
            when 'updated' then 'updated|modified|changed|edited|update|modify|change|edit'
            else 'deleted|removed|archived|cancelled|canceled|delete|remove|archive|cancel'
        end as verbs
    from known_types
    left join hypotheses on known_types.event_type = hypotheses.event_type
    left join observed_types
        on
            known_types.organization = observed_types.organization
            and known_types.event_type = observed_types.event_type
)

select
    organization,
    event_type,
    resource_family,
    action,
    hypothesis_label,
    observed_label,
    observations,
    label_count,
    first_observed_at,
    last_observed_at,
    case
        when hypothesis_label is null then 'undocumented'
        when label_count > 1 then 'ambiguous'
        when observed_label is null then 'unobserved'
        when regexp_full_match(label_meaning, concat('(', objects, ')(', verbs, ')|(', verbs, ')(', objects, ')'))
            then 'confirmed'
        else 'contradicted'
    end as status,
    labels,
    produced_by
from described_types
